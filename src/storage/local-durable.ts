import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { systemCode } from "./local-errors.ts";

/** Our own files beside the objects: unfinished ones and locks. `list` does not show them. */
const OWN_NAME = /^\..+\.(?:tmp|lock)$/;

const TEMPORARY_NAME = /^\..+\.tmp$/;

/** An unfinished file that nobody has touched for so long belongs to a process that died. */
const ABANDONED_AFTER_MS = 24 * 3600 * 1000;

export function isOwnName(name: string): boolean {
  return OWN_NAME.test(name);
}

export function lockPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.lock`);
}

/** A new file in the folder of `path`, which is created with its parents when it is missing. */
export async function openTemporary(path: string): Promise<{ handle: FileHandle; temporary: string }> {
  const folder = dirname(path);
  // A hash of its own would do as well; names of 255 bytes are the limit of most file systems, so the object's name is cut.
  const temporary = join(folder, `.${basename(path).slice(0, 120)}.${randomUUID()}.tmp`);
  try {
    return { handle: await open(temporary, "wx"), temporary };
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    await makeFolder(folder);
    return { handle: await open(temporary, "wx"), temporary };
  }
}

/** A durable file with these bytes beside `path`, not yet under its name. */
export async function writeTemporary(path: string, bytes: Uint8Array): Promise<string> {
  const { handle, temporary } = await openTemporary(path);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } catch (error) {
    await handle.close();
    await rm(temporary, { force: true });
    throw error;
  }
  await handle.close();
  return temporary;
}

/** Makes names created or changed in a folder survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Creates a folder and its parents, each durable in its own parent. */
async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true });
  if (first === undefined) return;
  for (let made = folder; ; made = dirname(made)) {
    await syncFolder(dirname(made));
    if (made === first) return;
  }
}

/** Removes what processes that died left unfinished in a folder. */
export async function removeAbandoned(folder: string, nowMs: number): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    if (!TEMPORARY_NAME.test(name)) continue;
    const path = join(folder, name);
    const found = await stat(path).catch(() => null);
    if (found !== null && nowMs - found.mtimeMs > ABANDONED_AFTER_MS) await rm(path, { force: true });
  }
}
