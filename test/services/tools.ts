import { findExecutable, spawnOwned } from "./owned-process.ts";
import { Unavailable } from "./unavailable.ts";

/** The path of a tool on PATH; without it an Unavailable that says what needs it and how to get it. */
export function requireTool(name: string, neededFor: string, install: string): string {
  const path = findExecutable(name);
  if (path === null) throw new Unavailable(`${neededFor} needs \`${name}\`, which is not on PATH`, install);
  return path;
}

/** How much of a failed command's output its error repeats. */
const outputTailChars = 1500;

/**
 * Runs a command to its end and returns its output (both streams together); a failure is an error with the end of it, and so is one that
 * takes longer than `timeoutMs`.
 */
export async function runTool(
  command: string,
  args: readonly string[],
  options: {
    readonly env?: NodeJS.ProcessEnv;
    readonly cwd?: string;
    readonly input?: string;
    readonly timeoutMs?: number;
  } = {},
): Promise<string> {
  const { input, timeoutMs, ...spawnOptions } = options;
  const child = spawnOwned(command, args, { ...spawnOptions, stdio: ["pipe", "pipe", "pipe"] });
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => void child.kill("SIGKILL"), timeoutMs);
  const chunks: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => chunks.push(chunk));
  // A command that ends without reading its input closes the pipe early: its exit code tells the story, not the pipe.
  child.stdin?.on("error", () => {});
  child.stdin?.end(input ?? "");
  const exit = await new Promise<string>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code === 0 ? "" : `exit ${code ?? signal}`));
  }).finally(() => clearTimeout(timer));
  const output = Buffer.concat(chunks).toString("utf8");
  if (exit === "") return output;
  const line = [command, ...args].join(" ").slice(0, 200);
  throw new Error(`\`${line}\` failed (${exit}): ${output.slice(-outputTailChars).trim()}`);
}
