import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { BARE_ENV } from "../../support/bare-env.ts";

const MAIN = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));

/** How a call of the command line ended. */
export interface Called {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `frazil` from source, with nothing of this process's environment but PATH. */
export function frazil(args: readonly string[], env: Readonly<Record<string, string>> = {}, cwd?: string): Called {
  const child = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: "utf8",
    env: { ...BARE_ENV, ...env },
    cwd,
    timeout: 30_000,
  });
  return { code: child.status, stdout: child.stdout, stderr: child.stderr };
}
