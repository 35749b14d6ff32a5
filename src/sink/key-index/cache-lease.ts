import { mkdir } from "node:fs/promises";
import { join } from "node:path";

/** SQLite's answer when somebody else holds the lock. */
const SQLITE_BUSY = 5;

/** Says that a process uses the folders of a pipeline in a cache; ends with the process at the latest. */
export interface CacheLease {
  release(): void;
}

/**
 * Takes the lease of a pipeline's folders: the operating system's lock that SQLite takes on an empty file, which no crash leaves behind, so that
 * neither process ids nor clocks have to be trusted. Nobody waits for a lease: it only keeps others from clearing the folders away.
 *
 * @returns null while another holds it.
 */
export async function takeCacheLease(folder: string, pipeline: string): Promise<CacheLease | null> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { DatabaseSync } = await import("node:sqlite");
  const database = new DatabaseSync(join(folder, `${pipeline}.lease`));
  try {
    database.exec("BEGIN EXCLUSIVE");
    return { release: () => database.close() };
  } catch (error) {
    database.close();
    // Extended codes carry the primary one in their low byte.
    if (((error as { errcode?: number }).errcode ?? 0) % 256 === SQLITE_BUSY) return null;
    throw error;
  }
}
