import { RoaringBitmap } from "../../../table-format/index.ts";
import type { FileTable } from "../keys/file-table.ts";
import type { Forwards, IsDead, MovedDataFile } from "../keys/forwards.ts";
import { type CoveredFile, MAX_SIDECAR_ROWS, type Sidecar } from "./sidecar.ts";

/** What a sidecar says of a file. @param leftOut rows whose keys are not in it. */
export function coveredFile(file: MovedDataFile, leftOut: RoaringBitmap | null): CoveredFile {
  const covered = { path: file.filePath, sizeBytes: Number(file.fileSizeBytes), rows: Number(file.recordCount) };
  if (leftOut === null || leftOut.cardinality === 0) return covered;
  return { ...covered, leftOut: Buffer.from(leftOut.serialize()).toString("base64") };
}

/** Files of sidecars by path: a table of many files asks for each of them. */
const filesByPath = new WeakMap<Sidecar, ReadonlyMap<string, readonly CoveredFile[]>>();

/** Whether the keys of all rows of a file that are not dead are in one of the sidecars. */
export function isCovered(sidecars: readonly Sidecar[], file: MovedDataFile, isDead: IsDead): boolean {
  return sidecars.some((sidecar) => {
    let files = filesByPath.get(sidecar);
    if (files === undefined) filesByPath.set(sidecar, (files = Map.groupBy(sidecar.files, ({ path }) => path)));
    return files.get(file.filePath)?.some((covered) => isSame(covered, file) && hasAllBut(covered, isDead)) === true;
  });
}

function hasAllBut({ leftOut }: CoveredFile, isDead: IsDead): boolean {
  if (leftOut === undefined) return true;
  return RoaringBitmap.deserialize(Buffer.from(leftOut, "base64")).toArray().every(isDead);
}

/** Whether a file is the one that a sidecar is about, and not another one that took its path. */
function isSame({ rows, sizeBytes }: CoveredFile, file: MovedDataFile): boolean {
  return Number(file.recordCount) === rows && Number(file.fileSizeBytes) === sizeBytes;
}

/** Which files of sidecars have rows that are live, as themselves or in a file that they were compacted into. */
export class FilesInUse {
  readonly #table: FileTable;
  readonly #forwards: Forwards;

  constructor(table: FileTable, forwards: Forwards) {
    this.#table = table;
    this.#forwards = forwards;
  }

  /** Null: another file has its path, so that what is said of it, and of what else was there, is worth nothing. */
  has(covered: CoveredFile): boolean | null {
    const number = this.#table.numberOf(covered.path);
    const file = number === null ? this.#forwards.movedToLive(covered.path) : this.#table.get(number)?.live.file;
    if (file === null || file === undefined) return false;
    return isSame(covered, file) ? true : null;
  }

  /** Rows of a sidecar in files in use. */
  rowsOf({ files }: Sidecar): number {
    let rows = 0;
    for (const file of files) {
      const inUse = this.has(file);
      if (inUse === null) return 0;
      if (inUse) rows += file.rows;
    }
    return rows;
  }
}

/** Sidecars of about the same size that become one. */
const MERGED_AT_ONCE = 4;

/** Up to this many entries size makes no difference: a search reads as much at once. */
const SMALLEST_TIER = 1 << 12;

/** Larger ones are left alone: merging them would hold up a checkpoint for more than half a minute. */
const MAX_MERGED_ENTRIES = 1 << 29;

/** A sidecar with a smaller share of rows in files in use is made again without the others. */
const SPARSE_BELOW = 0.5;

/**
 * Sidecars to be made one, or null. Of each power of four there are at most three, so that a key is in one of few, and is written once per power of four that
 * the table grows by.
 */
export function nextMerge(sidecars: readonly Sidecar[], inUse: FilesInUse): readonly Sidecar[] | null {
  for (const sidecar of sidecars) {
    if (inUse.rowsOf(sidecar) < rowsOf(sidecar) * SPARSE_BELOW) return [sidecar];
  }
  const tiers = Map.groupBy(sidecars, ({ entries }) => tierOf(entries));
  for (const tier of [...tiers.keys()].toSorted((a, b) => a - b)) {
    const group = tiers.get(tier) ?? [];
    const entries = group.reduce((sum, sidecar) => sum + sidecar.entries, 0);
    const rows = group.reduce((sum, sidecar) => sum + rowsOf(sidecar), 0);
    if (group.length < MERGED_AT_ONCE || entries > MAX_MERGED_ENTRIES || rows > MAX_SIDECAR_ROWS) continue;
    return group;
  }
  return null;
}

function rowsOf({ files }: Sidecar): number {
  return files.reduce((sum, { rows }) => sum + rows, 0);
}

function tierOf(entries: number): number {
  return Math.floor(Math.log2(Math.max(SMALLEST_TIER, entries)) / 2);
}
