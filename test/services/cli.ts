/** `npm run services -- up|down|env|install [name…]`: real servers for development, without Docker. */
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { installReaders } from "../readers/install.ts";
import { installSpark } from "../readers/spark-install.ts";
import { progressOnStderr } from "./progress.ts";
import { type ServerName, serverNames, servers } from "./registry.ts";
import type { StartOptions } from "./server.ts";
import { readSupervised, type Supervised, supervisionFiles } from "./supervised.ts";
import { installToxiproxy } from "./toxiproxy.ts";
import { Unavailable } from "./unavailable.ts";

const usage = `usage: npm run services -- <command> [${serverNames.join("|")}]…

  up       start servers in the background and print what they need in the environment (default: kafka minio)
  env      print it again for those that run; eval "$(npm run -s services -- env)" sets it
  down     stop them and remove their data (default: all that run)
  install  only build and download what they need (default: all, and the readers and Spark of the tests)

  --data <folder>   up: keep the data in <folder>/<name>, also after down
  --port <number>   up: the client port of the one server named (default: a free one)
  --json            up, env: one JSON object instead of export lines
`;

const pollMs = 50;
const stopTimeoutMs = 30_000;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: "string" },
    port: { type: "string" },
    json: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  },
});
const [command, ...words] = positionals;
const names = words.map((word) => {
  if ((serverNames as readonly string[]).includes(word)) return word as ServerName;
  fail(64, `unknown server "${word}": expected ${serverNames.join(", ")}`);
});

try {
  if (options.help === true) process.stdout.write(usage);
  else if (command === "up") await up(names.length > 0 ? names : ["kafka", "minio"]);
  else if (command === "env") printEnv(await running(names));
  else if (command === "down") await down(names.length > 0 ? names : serverNames);
  else if (command === "install") await install(names);
  else fail(64, usage);
} catch (error) {
  fail(error instanceof Unavailable ? 69 : 1, (error as Error).message);
}

async function install(wanted: readonly ServerName[]): Promise<void> {
  for (const name of wanted.length > 0 ? wanted : serverNames) await servers[name].install(progressOnStderr);
  if (wanted.length > 0) return;
  await installReaders(progressOnStderr);
  await installSpark(progressOnStderr);
  await installToxiproxy(progressOnStderr);
}

async function up(wanted: readonly ServerName[]): Promise<void> {
  if (options.port !== undefined && wanted.length !== 1) fail(64, "--port needs exactly one server");
  if (options.port !== undefined && !/^[1-9]\d{0,4}$/.test(options.port))
    fail(64, `--port: expected a number, found ${options.port}`);
  await install(wanted);
  const states = await Promise.all(
    wanted.map(async (name) => {
      const running = await readSupervised(name);
      const state = running ?? (await start(name));
      const how = running === null ? "" : " (it was running already)";
      process.stderr.write(`${name} at ${state.address}, data in ${state.folder}${how}\n`);
      return state;
    }),
  );
  printEnv(states);
}

/** Starts the server's supervisor as a process group of its own, so that Ctrl-C in this terminal does not reach it. */
async function start(name: ServerName): Promise<Supervised> {
  const { log } = await supervisionFiles(name);
  const logFile = openSync(log, "w");
  const supervisor = fileURLToPath(new URL("supervisor.ts", import.meta.url));
  const start: StartOptions = {
    ...(options.data === undefined ? {} : { folder: join(resolve(options.data), name) }),
    ...(options.port === undefined ? {} : { port: Number(options.port) }),
  };
  const child = spawn(process.execPath, [supervisor, name, JSON.stringify(start)], {
    detached: true,
    stdio: ["ignore", logFile, logFile],
  });
  closeSync(logFile);
  let ended = false;
  child.once("exit", () => (ended = true));
  for (;;) {
    const state = await readSupervised(name);
    if (state !== null) {
      child.unref();
      return state;
    }
    if (ended) throw new Error(`${name} did not start:\n${readFileSync(log, "utf8").trim()}`);
    await sleep(pollMs);
  }
}

async function down(wanted: readonly ServerName[]): Promise<void> {
  const states = await running(wanted);
  for (const { supervisorPid } of states) process.kill(supervisorPid, "SIGTERM");
  for (const { name, supervisorPid } of states) {
    const deadlineMs = performance.now() + stopTimeoutMs;
    while (isAlive(supervisorPid)) {
      if (performance.now() > deadlineMs) throw new Error(`${name} (process ${supervisorPid}) did not stop`);
      await sleep(pollMs);
    }
    process.stderr.write(`${name} stopped\n`);
  }
  if (states.length === 0) process.stderr.write("nothing is running\n");
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function running(wanted: readonly ServerName[]): Promise<Supervised[]> {
  const states = await Promise.all((wanted.length > 0 ? wanted : serverNames).map(readSupervised));
  return states.filter((state) => state !== null);
}

function printEnv(states: readonly Supervised[]): void {
  if (options.json === true) {
    const servers = Object.fromEntries(states.map(({ name, address, env }) => [name, { address, env }]));
    process.stdout.write(`${JSON.stringify(servers)}\n`);
    return;
  }
  for (const { env } of states) {
    for (const [key, value] of Object.entries(env)) process.stdout.write(`export ${key}='${value}'\n`);
  }
}

function fail(exitCode: number, message: string): never {
  process.stderr.write(`${message.trimEnd()}\n`);
  process.exit(exitCode);
}
