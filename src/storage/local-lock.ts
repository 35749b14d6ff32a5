import { setTimeout as sleep } from "node:timers/promises";
import { FrazilError } from "../../table-format/index.ts";

/** Long enough for any holder: a lock is held for one small read and one rename. */
const LOCK_TIMEOUT_MS = 10_000;

/** SQLite's answer when somebody else holds the lock. */
const SQLITE_BUSY = 5;

/**
 * Runs `action` while no other process of this machine (and nobody else in this one) runs one for the same lock file.
 *
 * The lock is the one SQLite takes on an empty database file: a lock of the operating system, which ends with its process. A lock
 * file made with O_EXCL would outlive a crash, and taking such a file over from a dead owner is itself a race. The file stays,
 * empty: removing it would let two processes hold "the" lock on two files.
 *
 * @throws FrazilError `unavailable` when the lock stays taken; `action` has then not run.
 */
export async function withFileLock<T>(path: string, action: () => Promise<T>): Promise<T> {
  const { DatabaseSync } = await import("node:sqlite");
  const database = new DatabaseSync(path);
  try {
    for (let waitedMs = 0; !tryLock(database);) {
      if (waitedMs >= LOCK_TIMEOUT_MS) {
        throw new FrazilError("unavailable", "LOCKED", `${path} has been locked for ${LOCK_TIMEOUT_MS / 1000} s`, {
          hint: "another process holds it; see `fuser` or `lsof`",
        });
      }
      const pauseMs = Math.min(20, 1 + waitedMs / 4);
      await sleep(pauseMs);
      waitedMs += pauseMs;
    }
    return await action();
  } finally {
    database.close();
  }
}

function tryLock(database: { exec(sql: string): void }): boolean {
  try {
    database.exec("BEGIN EXCLUSIVE");
    return true;
  } catch (error) {
    // Extended codes carry the primary one in their low byte.
    if (((error as { errcode?: number }).errcode ?? 0) % 256 === SQLITE_BUSY) return false;
    throw error;
  }
}
