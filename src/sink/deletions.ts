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
import type { FileEntry, FileTable } from "./keys/file-table.ts";
import type { KeyLookup } from "./keys/checkpoint-lookups.ts";
import type { Locations } from "./keys/key-resolver.ts";

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

/** How many of the keys have a live row. `from`, `end`: their part of the keys that were resolved. */
function countFound(locations: Locations, from: number, end: number): number {
  let count = 0;
  for (let i = from; i < end; i++) if ((locations.files[i] as number) >= 0) count++;
  return count;
}

/** The rows that the locations name, as sorted positions by file number. */
function positionsByFile({ files, positions, extra }: Locations): Map<number, number[]> {
  const byFile = new Map<number, number[]>();
  const add = (file: number, position: number): void => {
    const known = byFile.get(file);
    if (known === undefined) byFile.set(file, [position]);
    else known.push(position);
  };
  for (let i = 0; i < files.length; i++) if ((files[i] as number) >= 0) add(files[i] as number, positions[i] as number);
  for (const { file, position } of extra) add(file, position);
  for (const rows of byFile.values()) rows.sort((a, b) => a - b);
  return byFile;
}

/**
 * Resolves keys to positions on the given state of the table and writes what deletes them: one live delete file a data file, the union of what
 * was deleted before and now (Iceberg spec, "Deletion Vectors" and "Position Delete Files"). A file whose last live row goes is dropped
 * together with its deletes.
 *
 * @param keys of rows to be written, `writtenCount` of them, and then of deleted ones. @param formatVersion of the table: from 3 on the checkpoint's deletion vectors share a Puffin file, before each data file has a position
 *   delete file.
 */
export async function resolveDeletions(
  io: FileIO,
  runtime: Runtime,
  names: FileNames,
  formatVersion: number,
  files: FileTable,
  lookups: KeyLookup,
  keys: Uint32Array,
  writtenCount: number,
): Promise<Deletions> {
  runtime.step("resolve.start");
  const locations = await lookups.resolve(keys);
  const byFile = positionsByFile(locations);
  const deadFiles: number[] = [];
  const replaced: LiveFile[] = [];
  const pending: PendingDeletes[] = [];
  for (const number of [...byFile.keys()].toSorted((a, b) => a - b)) {
    const entry = must(files.get(number), "a hit lies in a live file");
    const bitmap = entry.deleted?.clone() ?? new RoaringBitmap();
    bitmap.addMany(must(byFile.get(number), "positions of the file"));
    replaced.push(...ownDeletes(entry));
    if (BigInt(bitmap.cardinality) === entry.live.file.recordCount) deadFiles.push(number);
    else pending.push({ number, dataFile: entry.live.file, bitmap });
  }
  const entries = await writeDeletes(io, runtime, names, formatVersion, pending);
  const written = new Map(
    pending.map(({ number, bitmap }, index) => [number, { bitmap, entry: must(entries[index], "one entry a file") }]),
  );
  const updates = countFound(locations, 0, writtenCount);
  const deletes = countFound(locations, writtenCount, locations.files.length);
  return { written, deadFiles, replaced, updates, deletes };
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
