import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import type { Progress } from "./progress.ts";

/** Where built servers and installed readers are kept: FRAZIL_CACHE, else `frazil` in the user's cache folder. */
export function cacheFolder(): string {
  const { FRAZIL_CACHE: own, XDG_CACHE_HOME: xdg } = process.env;
  if (own !== undefined && own !== "") return own;
  return join(xdg !== undefined && xdg !== "" ? xdg : join(homedir(), ".cache"), "frazil");
}

/** One thing to keep: `build` fills an empty folder, which then appears under its final name at once. */
export type CacheEntry = {
  readonly name: string;
  /** Part of the path: another version is another entry, and the old one stays usable. */
  readonly version: string;
  build(folder: string, progress: Progress): Promise<void>;
};

/** The folder where `entry` lies, or will lie once built. */
export function cachedFolder(entry: CacheEntry): string {
  return join(cacheFolder(), entry.name, entry.version);
}

/**
 * The folder of `entry`, built first if it is not there. Of several processes that ask at the same time one builds and
 * the others wait. A build that was killed leaves only its staging folder, which the next one replaces.
 */
export async function cached(entry: CacheEntry, progress: Progress): Promise<string> {
  const folder = cachedFolder(entry);
  if (existsSync(folder)) return folder;
  await mkdir(dirname(folder), { recursive: true });
  using _lock = await waitForLock(`${folder}.lock`, () =>
    progress(`waiting for another process that prepares ${entry.name} ${entry.version}`),
  );
  if (existsSync(folder)) return folder;
  const staging = `${folder}.staging`;
  await rm(staging, { recursive: true, force: true });
  await mkdir(staging);
  await entry.build(staging, progress);
  await rename(staging, folder);
  return folder;
}

/** SQLite's result code for a lock held elsewhere. */
const sqliteBusy = 5;
const lockPollMs = 250;

/**
 * Takes the lock file at `path`, or returns null while another process (or this one) holds it. SQLite's file lock serves
 * because the operating system lets go of it when its holder dies, however it dies: there are no stale locks to judge.
 */
export function tryLock(path: string): Disposable | null {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode === sqliteBusy) return null;
    throw error;
  }
  return { [Symbol.dispose]: () => database.close() };
}

async function waitForLock(path: string, onWait: () => void): Promise<Disposable> {
  for (let attempt = 0; ; attempt++) {
    const lock = tryLock(path);
    if (lock !== null) return lock;
    if (attempt === 0) onWait();
    await sleep(lockPollMs);
  }
}
