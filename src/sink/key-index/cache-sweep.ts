import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { takeCacheLease } from "./cache-lease.ts";

/** A file in each folder that says whose it is; it was last written when the folder was last opened. */
export const OWNER_FILE = "table.json";

const ownerSchema = z.strictObject({ warehouse: z.string(), table: z.string() });

/** Whose keys a folder holds. */
export type FolderOwner = z.output<typeof ownerSchema>;

const FOLDER_NAME = /^([\da-f-]{36})\.([a-z0-9-]+)$/i;

interface CacheFolder {
  readonly path: string;
  readonly uuid: string;
  readonly pipeline: string;
  readonly owner: FolderOwner | null;
  readonly usedMs: number;
  readonly bytes: number;
}

/** Notes whose folder it is and that it is used. The folder is there. */
export async function markUsed(folder: string, owner: FolderOwner): Promise<void> {
  await writeFile(join(folder, OWNER_FILE), JSON.stringify(owner), { mode: 0o600 });
}

/** Whose cache it is that is swept. */
export interface Sweep {
  readonly folder: string;
  readonly pipeline: string;
  readonly warehouse: string;
  /** The pipeline's tables in the warehouse. */
  readonly tables: ReadonlySet<string>;
  /** Whether the pipeline's lease is held: no other process runs one of that name, on whatever warehouse. */
  readonly leased: boolean;
  /** Bytes that all folders may take. */
  readonly capBytes: number;
}

/**
 * Removes from the cache what is of no use any more: folders of tables that the pipeline had in this warehouse and that are gone, and while
 * all of it takes more than the cap those that were not used for longest. Folders of the pipeline's present tables stay, and those of
 * other pipelines while a process runs them.
 *
 * @returns the folders that were removed.
 */
export async function sweepCache(sweep: Sweep): Promise<string[]> {
  const { pipeline, warehouse, tables, leased, capBytes } = sweep;
  const folders = await foldersIn(sweep.folder);
  const isOwn = (folder: CacheFolder): boolean => folder.pipeline === pipeline && folder.owner?.warehouse === warehouse;
  const isPresent = (folder: CacheFolder): boolean => isOwn(folder) && tables.has(folder.uuid);
  const removed = new Set(folders.filter((folder) => isOwn(folder) && !isPresent(folder)));
  let bytes = folders.reduce((sum, folder) => sum + (removed.has(folder) ? 0 : folder.bytes), 0);
  for (const folder of folders.toSorted((a, b) => a.usedMs - b.usedMs)) {
    if (bytes <= capBytes) break;
    if (removed.has(folder) || isPresent(folder)) continue;
    const isFree = folder.pipeline === pipeline ? leased : await canBeLeased(sweep.folder, folder.pipeline);
    if (!isFree) continue;
    removed.add(folder);
    bytes -= folder.bytes;
  }
  for (const { path } of removed) await rm(path, { recursive: true, force: true });
  return [...removed].map(({ path }) => path);
}

async function canBeLeased(folder: string, pipeline: string): Promise<boolean> {
  const lease = await takeCacheLease(folder, pipeline);
  lease?.release();
  return lease !== null;
}

async function foldersIn(cache: string): Promise<CacheFolder[]> {
  const folders: CacheFolder[] = [];
  for (const name of await readdir(cache)) {
    const [, uuid, pipeline] = FOLDER_NAME.exec(name) ?? [];
    if (uuid === undefined || pipeline === undefined) continue;
    const path = join(cache, name);
    let bytes = 0;
    let usedMs = 0;
    for (const file of await readdir(path)) {
      const { size, mtimeMs } = await stat(join(path, file));
      bytes += size;
      usedMs = Math.max(usedMs, mtimeMs);
    }
    folders.push({ path, uuid, pipeline, bytes, usedMs, owner: await ownerOf(path) });
  }
  return folders;
}

async function ownerOf(path: string): Promise<FolderOwner | null> {
  try {
    return ownerSchema.parse(JSON.parse(await readFile(join(path, OWNER_FILE), "utf8")));
  } catch {
    return null;
  }
}
