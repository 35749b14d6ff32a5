import type { ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { forgetTemporary, removeAtExit, spawnOwned } from "./owned-process.ts";

/** A real server on the loopback interface, a direct child of this process. */
export interface RunningServer extends AsyncDisposable {
  readonly name: string;
  /** `host:port`; it stays the same over a restart. */
  readonly address: string;
  /** What a client needs, as environment variables. */
  readonly env: Readonly<Record<string, string>>;
  /** Data, configuration and `server.log`. */
  readonly folder: string;
  /** The process id, or null while the server does not run. */
  readonly pid: number | null;
  /** Ends the server and removes a temporary folder. */
  stop(): Promise<void>;
  /** SIGKILL; resolves when the process is gone. The data stays for `restart`. */
  kill(): Promise<void>;
  /** Ends the server if it still runs, starts it on the same port and data, and waits until it answers. */
  restart(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers, as in a network partition. */
  suspend(): void;
  /** SIGCONT. */
  resume(): void;
}

export type StartOptions = {
  /** Keeps the data here; without it the data lies in a temporary folder that `stop` removes. */
  readonly folder?: string;
  /** The client port; a free one by default. */
  readonly port?: number;
};

export type ServerSpec = {
  readonly name: string;
  readonly address: string;
  readonly env: Readonly<Record<string, string>>;
  readonly folder: ServerFolder;
  readonly command: readonly [string, ...string[]];
  readonly processEnv?: NodeJS.ProcessEnv;
  /** What asks the server to end, where SIGTERM asks for something else. */
  readonly stopSignal?: "SIGINT";
  /** Sends a real request; throws, or returns false, while the server cannot answer it. */
  answers(): Promise<boolean>;
};

/** Where a server keeps its data. */
export type ServerFolder = { readonly path: string; readonly temporary: boolean };

/** The folder the options ask for, or a new temporary one. */
export async function serverFolder(name: string, options: StartOptions): Promise<ServerFolder> {
  if (options.folder !== undefined) {
    await mkdir(options.folder, { recursive: true });
    return { path: options.folder, temporary: false };
  }
  const path = await mkdtemp(join(tmpdir(), `frazil-${name}-`));
  removeAtExit(path);
  return { path, temporary: true };
}

const readyTimeoutMs = 60_000;
const readyPollMs = 50;
/** After this long without an end, SIGTERM becomes SIGKILL. */
const stopTimeoutMs = 20_000;

/** Starts the process and waits until it answers. */
export async function startServer(spec: ServerSpec): Promise<RunningServer> {
  let child: ChildProcess | null = null;

  const logFile = join(spec.folder.path, "server.log");
  const running = () => child !== null && child.exitCode === null && child.signalCode === null;
  const exited = (process: ChildProcess) =>
    process.exitCode !== null || process.signalCode !== null
      ? Promise.resolve()
      : new Promise<void>((resolve) => void process.once("exit", () => resolve()));

  async function launch(): Promise<void> {
    const log = openSync(logFile, "a");
    const [command, ...args] = spec.command;
    let spawnError: Error | null = null;
    try {
      child = spawnOwned(command, args, {
        cwd: spec.folder.path,
        ...(spec.processEnv === undefined ? {} : { env: spec.processEnv }),
        stdio: ["ignore", log, log],
      });
      child.once("error", (error) => (spawnError = error));
    } finally {
      closeSync(log);
    }
    const startMs = performance.now();
    for (;;) {
      if (spawnError !== null) throw spawnError;
      if (!running()) throw new Error(`${spec.name} ended before it answered: ${logTail(logFile)}`);
      try {
        if (await spec.answers()) return;
      } catch {
        // Not yet listening: ask again below.
      }
      if (performance.now() - startMs > readyTimeoutMs) {
        await end("SIGKILL");
        throw new Error(`${spec.name} at ${spec.address} did not answer in ${readyTimeoutMs} ms: ${logTail(logFile)}`);
      }
      await sleep(readyPollMs);
    }
  }

  async function end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const process = child;
    if (process === null || !running()) return;
    const gone = exited(process);
    process.kill(signal === "SIGTERM" ? (spec.stopSignal ?? signal) : signal);
    // A suspended process takes the signal only once it is continued.
    process.kill("SIGCONT");
    if (signal === "SIGTERM") {
      const patience = new AbortController();
      await Promise.race([gone, sleep(stopTimeoutMs, undefined, { signal: patience.signal }).catch(() => {})]);
      patience.abort();
      if (running()) process.kill("SIGKILL");
    }
    await gone;
  }

  async function stop(): Promise<void> {
    await end("SIGTERM");
    if (!spec.folder.temporary) return;
    await rm(spec.folder.path, { recursive: true, force: true, maxRetries: 3 });
    forgetTemporary(spec.folder.path);
  }

  try {
    await launch();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    name: spec.name,
    address: spec.address,
    env: spec.env,
    folder: spec.folder.path,
    get pid() {
      return running() ? (child?.pid ?? null) : null;
    },
    stop,
    kill: () => end("SIGKILL"),
    async restart() {
      await end("SIGTERM");
      await launch();
    },
    suspend: () => void child?.kill("SIGSTOP"),
    resume: () => void child?.kill("SIGCONT"),
    [Symbol.asyncDispose]: stop,
  };
}

function logTail(file: string): string {
  const text = readFileSync(file, "utf8").trim();
  return text === "" ? "it wrote no log" : text.slice(-2000);
}
