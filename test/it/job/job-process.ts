import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** The built command line. */
export const MAIN = fileURLToPath(new URL("../../../dist/src/cli/main.js", import.meta.url));

/** A `frazil` process, with what it has written. */
export interface JobProcess {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** The exit code, or the signal's name. */
  readonly ended: Promise<number | string>;
}

/** Starts the built command line, whose runs speak text. It dies with this process. */
export function frazil(args: readonly string[], env: Readonly<Record<string, string>> = {}): JobProcess {
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, FRAZIL_LOG_FORMAT: "text", ...env },
  });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  const killed = () => child.kill("SIGKILL");
  process.once("exit", killed);
  const ended = once(child, "close").then(([code, signal]) => {
    process.off("exit", killed);
    return (code ?? signal) as number | string;
  });
  return { child, stdout: () => out, stderr: () => err, ended };
}

/** Resolves when the process has written something that matches, or with false when it ended before. */
export async function hasWritten(job: JobProcess, pattern: RegExp): Promise<boolean> {
  let over = false;
  void job.ended.then(() => (over = true));
  for (;;) {
    if (pattern.test(job.stderr()) || pattern.test(job.stdout())) return true;
    if (over) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
