import {
  type DataFile,
  type FileIO,
  type LiveFile,
  RoaringBitmap,
  scopedDataFile,
  writeDeletionVectors,
} from "../../table-format/index.ts";
import type { FileNames } from "../commit/names.ts";
import { must } from "../core/errors.ts";
import type { Runtime } from "../core/runtime.ts";
import type { FileEntry, FileTable } from "./file-table.ts";
import type { KeyResolver, Locations } from "./key-resolver.ts";

/** What a checkpoint takes out of the table as of one base. */
export interface Deletions {
  /** New deletion vectors by file number, each the whole of its file's deleted rows, with its manifest entry. */
  readonly vectors: ReadonlyMap<number, { readonly bitmap: RoaringBitmap; readonly entry: DataFile }>;
  /** Files without a live row left. */
  readonly deadFiles: readonly number[];
  /** Vectors that the new ones and the dead files replace. */
  readonly replaced: readonly LiveFile[];
  /** Keys to be written whose old row was found: updates. */
  readonly updates: number;
  /** Deleted keys whose row was found. */
  readonly deletes: number;
}

/** Rows of live files that hold the keys, as sorted positions by file number, and how many there are. */
export interface Hits {
  readonly byFile: Map<number, number[]>;
  readonly count: number;
}

/** Finds live rows: what the resolver knows, less what lies in files no longer live or is deleted already. */
export async function liveHits(files: FileTable, resolver: KeyResolver, keys: Uint32Array): Promise<Hits> {
  const locations = await resolver.resolve(keys);
  const byFile = new Map<number, number[]>();
  let count = 0;
  for (let i = 0; i < locations.files.length; i++) {
    if (!isLive(files, locations, i)) continue;
    count++;
    const file = locations.files[i] as number;
    const positions = byFile.get(file);
    if (positions === undefined) byFile.set(file, [locations.positions[i] as number]);
    else positions.push(locations.positions[i] as number);
  }
  return { byFile, count };
}

/** Whether location `i` is a row that readers see. */
export function isLive(files: FileTable, locations: Locations, i: number): boolean {
  const file = locations.files[i] as number;
  if (file < 0) return false;
  const entry = files.get(file);
  return entry !== null && (entry.deleted === null || !entry.deleted.has(locations.positions[i] as number));
}

/**
 * Resolves keys to positions on the given state of the table and writes the deletion vectors: one live vector a data file, the union of what
 * was deleted before and now (Iceberg spec, "Deletion Vectors"), all blobs of the checkpoint in one Puffin file. A file whose last live row
 * goes is dropped together with its vector.
 */
export async function resolveDeletions(
  io: FileIO,
  runtime: Runtime,
  names: FileNames,
  files: FileTable,
  resolver: KeyResolver,
  writtenKeys: Uint32Array,
  deletedKeys: Uint32Array,
): Promise<Deletions> {
  runtime.step("resolve.start");
  const updated = await liveHits(files, resolver, writtenKeys);
  const deleted = await liveHits(files, resolver, deletedKeys);
  const touched = new Set([...updated.byFile.keys(), ...deleted.byFile.keys()]);
  const deadFiles: number[] = [];
  const replaced: LiveFile[] = [];
  const pending: { number: number; dataFile: DataFile; bitmap: RoaringBitmap }[] = [];
  for (const number of [...touched].toSorted((a, b) => a - b)) {
    const entry = must(files.get(number), "a hit lies in a live file");
    const positions = [...(updated.byFile.get(number) ?? []), ...(deleted.byFile.get(number) ?? [])];
    const bitmap = entry.deleted?.clone() ?? new RoaringBitmap();
    bitmap.addMany(positions.toSorted((a, b) => a - b));
    replaced.push(...ownDeletes(entry));
    if (BigInt(bitmap.cardinality) === entry.live.file.recordCount) deadFiles.push(number);
    else pending.push({ number, dataFile: entry.live.file, bitmap });
  }
  const vectors = new Map<number, { bitmap: RoaringBitmap; entry: DataFile }>();
  if (pending.length > 0) {
    const entries = await writeDeletionVectors(io, names.deletionVectors(), pending);
    runtime.step("put.dv");
    for (const [index, { number, bitmap }] of pending.entries()) {
      vectors.set(number, { bitmap, entry: must(entries[index], "one entry a vector") });
    }
  }
  return { vectors, deadFiles, replaced, updates: updated.count, deletes: deleted.count };
}

/** TRUNCATE: every file goes with its vector, nothing is resolved. */
export function truncation(files: FileTable): Deletions {
  const deadFiles: number[] = [];
  const replaced: LiveFile[] = [];
  let deletes = 0;
  for (const [number, entry] of files) {
    deadFiles.push(number);
    replaced.push(...ownDeletes(entry));
    deletes += Number(entry.live.file.recordCount) - (entry.deleted?.cardinality ?? 0);
  }
  return { vectors: new Map(), deadFiles, replaced, updates: 0, deletes };
}

/** Delete files that are about one data file alone. Others stay: they may be about files that nobody touches. */
function ownDeletes({ live, deletes }: FileEntry): LiveFile[] {
  return deletes.filter(({ file }) => scopedDataFile(file) === live.file.filePath);
}
