import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** The repository's folder: the demo's commands run here. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

const main = fileURLToPath(new URL("../../dist/src/cli/main.js", import.meta.url));

/** How a child process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The end of its standard error, for a message when it failed. */
  readonly stderr: string;
}

/** No command of the demo takes this long; one that does is ended, so that the demo ends too. */
const PATIENCE_MS = 180_000;

/** Builds the command line when this clone has none yet. */
export async function buildIfMissing(): Promise<void> {
  if (existsSync(main)) return;
  process.stdout.write("  building …\n");
  const child = spawn("npm", ["run", "--silent", "build"], { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error("the build failed");
}

/** Runs `frazil` as a process of its own and hands over each line of its standard output. */
export async function frazil(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  onLine: (line: string) => void,
): Promise<Ended> {
  return run(process.execPath, [main, ...args], env, onLine);
}

/** Runs a script of this folder likewise; the signal ends it by SIGTERM. */
export async function script(
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  onLine: (line: string) => void,
  stop: AbortSignal,
): Promise<Ended> {
  return run(process.execPath, [fileURLToPath(new URL(name, import.meta.url)), ...args], env, onLine, stop);
}

/** Runs a command in the repository's folder. */
export async function run(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  onLine: (line: string) => void,
  stop?: AbortSignal,
): Promise<Ended> {
  const child = spawn(command, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: PATIENCE_MS,
  });
  stop?.addEventListener("abort", () => child.kill("SIGTERM"), { once: true });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr = (stderr + text).slice(-4000)));
  createInterface({ input: child.stdout }).on("line", onLine);
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  return { code, signal, stderr };
}

/** The rows that a `--json` command prints. @throws Error with the command's own message when it fails */
export async function rowsOf(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = [];
  const ended = await frazil([...args, "--json"], env, (line) => {
    if (line !== "") rows.push(JSON.parse(line) as Record<string, unknown>);
  });
  if (ended.code !== 0) throw new Error(`frazil ${args[0]} failed (${ended.code ?? ended.signal}):\n${ended.stderr}`);
  return rows;
}
