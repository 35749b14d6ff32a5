import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import type { ScratchFolder } from "../core/runtime.ts";

/** Folders of this machine begin with this: processes of another one that shares the place cannot be seen to be alive. */
const PREFIX = `frazil-query-${createHash("sha256").update(hostname()).digest("hex").slice(0, 8)}-`;

/** Those that are open in this process. */
const open = new Set<string>();

let isFirst = true;

/** Makes a temporary folder that only this user can read. If this process is killed, the next one on this machine removes it. */
export async function openScratchFolder(): Promise<ScratchFolder> {
  if (isFirst) {
    isFirst = false;
    process.once("exit", removeScratchFolders);
    await removeAbandoned();
  }
  const path = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`));
  open.add(path);
  return {
    path,
    async close() {
      await rm(path, { recursive: true, force: true });
      open.delete(path);
    },
  };
}

/** Removes the folders of this process, which is about to end. */
export function removeScratchFolders(): void {
  for (const path of open) rmSync(path, { recursive: true, force: true });
  open.clear();
}

/** Removes what killed processes have left. What belongs to others stays. */
async function removeAbandoned(): Promise<void> {
  const names = await readdir(tmpdir()).catch(() => []);
  for (const name of names) {
    const pid = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) : NaN;
    if (!Number.isSafeInteger(pid) || isAlive(pid)) continue;
    await rm(join(tmpdir(), name), { recursive: true, force: true }).catch(() => undefined);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
