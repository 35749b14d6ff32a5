import { type ChildProcess, spawn, type StdioOptions } from "node:child_process";
import { accessSync, constants, rmSync } from "node:fs";
import { delimiter, join } from "node:path";

/** The path of an executable on PATH, or null. */
export function findExecutable(name: string): string | null {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    if (folder === "") continue;
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      continue;
    }
  }
  return null;
}

const alive = new Set<ChildProcess>();
const temporaryFolders = new Set<string>();
let exitHookInstalled = false;

function installExitHook(): void {
  if (exitHookInstalled) return;
  exitHookInstalled = true;
  process.once("exit", () => {
    for (const child of alive) child.kill("SIGKILL");
    for (const folder of temporaryFolders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  });
}

/** Removes `folder` when this process ends, unless `forgetTemporary` is called first. */
export function removeAtExit(folder: string): void {
  installExitHook();
  temporaryFolders.add(folder);
}

/** The folder is gone already, or is no longer temporary. */
export function forgetTemporary(folder: string): void {
  temporaryFolders.delete(folder);
}

export type OwnedProcessOptions = {
  readonly cwd?: string;
  /** The whole environment of the child, not an addition to ours. */
  readonly env?: NodeJS.ProcessEnv;
  readonly stdio: StdioOptions;
};

/**
 * Starts a direct child that does not outlive this process: it is killed when we exit, and on Linux the kernel kills it
 * also when we are killed ourselves (`setpriv` sets the parent-death signal and then becomes the command, so the child's
 * process id is the server's own).
 */
export function spawnOwned(command: string, args: readonly string[], options: OwnedProcessOptions): ChildProcess {
  installExitHook();
  const setpriv = process.platform === "linux" ? findExecutable("setpriv") : null;
  const child =
    setpriv === null
      ? spawn(command, args, options)
      : spawn(setpriv, ["--pdeathsig", "KILL", "--", command, ...args], options);
  alive.add(child);
  child.once("exit", () => alive.delete(child));
  child.once("error", () => alive.delete(child));
  return child;
}
