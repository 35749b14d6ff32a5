import {
  type DataFile,
  type FileIO,
  type LiveFile,
  mapConcurrently,
  RoaringBitmap,
  scopedDataFile,
  writeDeletionVectors,
  writePositionDeletes,
} from "../../table-format/index.ts";
import type { FileNames } from "../commit/names.ts";
import { must } from "../core/errors.ts";
import { DELETE_FILES_IN_FLIGHT } from "../core/limits.ts";
import type { Runtime } from "../core/runtime.ts";
import type { FileEntry, FileTable } from "./file-table.ts";
import type { KeyResolver, Locations } from "./key-resolver.ts";

/** What a checkpoint takes out of the table as of one base. */
export interface Deletions {
  /** New delete files by number of the data file, each the whole of its deleted rows, with its manifest entry. */
  readonly written: ReadonlyMap<number, { readonly bitmap: RoaringBitmap; readonly entry: DataFile }>;
  /** Files without a live row left. */
  readonly deadFiles: readonly number[];
  /** Delete files that the new ones replace or that dead files had. */
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
 * Resolves keys to positions on the given state of the table and writes what deletes them: one live delete file a data file, the union of what
 * was deleted before and now (Iceberg spec, "Deletion Vectors" and "Position Delete Files"). A file whose last live row goes is dropped
 * together with its deletes.
 *
 * @param formatVersion of the table: from 3 on the checkpoint's deletion vectors share a Puffin file, before each data file has a position
 *   delete file.
 */
export async function resolveDeletions(
  io: FileIO,
  runtime: Runtime,
  names: FileNames,
  formatVersion: number,
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
  const pending: PendingDeletes[] = [];
  for (const number of [...touched].toSorted((a, b) => a - b)) {
    const entry = must(files.get(number), "a hit lies in a live file");
    const positions = [...(updated.byFile.get(number) ?? []), ...(deleted.byFile.get(number) ?? [])];
    const bitmap = entry.deleted?.clone() ?? new RoaringBitmap();
    bitmap.addMany(positions.toSorted((a, b) => a - b));
    replaced.push(...ownDeletes(entry));
    if (BigInt(bitmap.cardinality) === entry.live.file.recordCount) deadFiles.push(number);
    else pending.push({ number, dataFile: entry.live.file, bitmap });
  }
  const entries = await writeDeletes(io, runtime, names, formatVersion, pending);
  const written = new Map(
    pending.map(({ number, bitmap }, index) => [number, { bitmap, entry: must(entries[index], "one entry a file") }]),
  );
  return { written, deadFiles, replaced, updates: updated.count, deletes: deleted.count };
}

interface PendingDeletes {
  readonly number: number;
  readonly dataFile: DataFile;
  readonly bitmap: RoaringBitmap;
}

/** Writes the deletes of data files and gives their manifest entries, in order. */
async function writeDeletes(
  io: FileIO,
  runtime: Runtime,
  names: FileNames,
  formatVersion: number,
  pending: readonly PendingDeletes[],
): Promise<DataFile[]> {
  if (pending.length === 0) return [];
  if (formatVersion >= 3) {
    const entries = await writeDeletionVectors(io, names.deletionVectors(), pending);
    runtime.step("put.dv");
    return entries;
  }
  return mapConcurrently(pending, DELETE_FILES_IN_FLIGHT, async ({ dataFile, bitmap }) => {
    const entry = await writePositionDeletes(io, names.positionDeletes(), dataFile, bitmap);
    runtime.step("put.pd");
    return entry;
  });
}

/** TRUNCATE: every file goes with its deletes, nothing is resolved. */
export function truncation(files: FileTable): Deletions {
  const deadFiles: number[] = [];
  const replaced: LiveFile[] = [];
  let deletes = 0;
  for (const [number, entry] of files) {
    deadFiles.push(number);
    replaced.push(...ownDeletes(entry));
    deletes += Number(entry.live.file.recordCount) - (entry.deleted?.cardinality ?? 0);
  }
  return { written: new Map(), deadFiles, replaced, updates: 0, deletes };
}

/** Delete files that are about one data file alone. Others stay: they may be about files that nobody touches. */
function ownDeletes({ live, deletes }: FileEntry): LiveFile[] {
  return deletes.filter(({ file }) => scopedDataFile(file) === live.file.filePath);
}
