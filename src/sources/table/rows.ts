import {
  type ChangedRows,
  type Column,
  type FileIO,
  gatherColumn,
  readDataFile,
  readDataFileRows,
  type Schema,
} from "../../../table-format/index.ts";
import { TABLE_SOURCE_ROWS, TABLE_SPARSE_ROWS } from "../../core/limits.ts";

/** Some rows of a list of chosen rows, as columns. */
export interface RowSlice {
  readonly length: number;
  readonly columns: readonly Column[];
  /** The place of each row in the whole list, from 0, ascending. */
  readonly numbers: Float64Array;
}

/** Which rows of a list are wanted: those from `from` on that `keep` takes. */
export interface Wanted {
  readonly from: number;
  /** Null: every row. */
  readonly keep: ((number: number) => boolean) | null;
}

/** How many rows a choice names. */
export function countOf({ file, positions }: ChangedRows): number {
  return positions === null ? Number(file.recordCount) : positions.cardinality;
}

/**
 * Reads rows of data files, file after file, in file order, in slices of bounded size. What is held at a time is one row group, or the
 * few rows that are wanted of a file. Files without a wanted row are not opened.
 *
 * @param fieldIds as of `readDataFile`, whose errors are thrown
 */
export async function* readRows(
  io: FileIO,
  schema: Schema,
  fieldIds: readonly number[],
  choices: readonly ChangedRows[],
  wanted: Wanted,
): AsyncGenerator<RowSlice> {
  let first = 0;
  for (const choice of choices) {
    const count = countOf(choice);
    const sparse = choice.positions !== null && count <= TABLE_SPARSE_ROWS;
    if (first + count > wanted.from) {
      if (sparse) yield* readSparse(io, schema, fieldIds, choice, first, wanted);
      else if (anyWanted(first, count, wanted)) yield* readDense(io, schema, fieldIds, choice, first, wanted);
    }
    first += count;
  }
}

function isWanted(number: number, { from, keep }: Wanted): boolean {
  return number >= from && (keep === null || keep(number));
}

function anyWanted(first: number, count: number, wanted: Wanted): boolean {
  for (let number = first; number < first + count; number++) if (isWanted(number, wanted)) return true;
  return false;
}

/** A few rows of a file: row groups without any are not read. */
async function* readSparse(
  io: FileIO,
  schema: Schema,
  fieldIds: readonly number[],
  { file, positions }: ChangedRows,
  first: number,
  wanted: Wanted,
): AsyncGenerator<RowSlice> {
  const all = positions?.toArray() ?? new Uint32Array();
  const chosen: number[] = [];
  const numbers: number[] = [];
  for (let index = 0; index < all.length; index++) {
    if (!isWanted(first + index, wanted)) continue;
    chosen.push(all[index] as number);
    numbers.push(first + index);
  }
  if (chosen.length === 0) return;
  const { columns } = await readDataFileRows(io, file, schema, fieldIds, Uint32Array.from(chosen));
  yield* slices(columns, Uint32Array.from(chosen.keys()), numbers);
}

/** A file row group by row group. */
async function* readDense(
  io: FileIO,
  schema: Schema,
  fieldIds: readonly number[],
  { file, positions }: ChangedRows,
  first: number,
  wanted: Wanted,
): AsyncGenerator<RowSlice> {
  let position = 0;
  let number = first;
  for await (const { length, columns } of readDataFile(io, file, schema, fieldIds)) {
    const rows: number[] = [];
    const numbers: number[] = [];
    for (let row = 0; row < length; row++, position++) {
      if (positions !== null && !positions.has(position)) continue;
      if (isWanted(number, wanted)) {
        rows.push(row);
        numbers.push(number);
      }
      number++;
    }
    yield* slices(columns, Uint32Array.from(rows), numbers);
  }
}

function* slices(columns: readonly Column[], rows: Uint32Array, numbers: readonly number[]): Generator<RowSlice> {
  for (let start = 0; start < rows.length; start += TABLE_SOURCE_ROWS) {
    const chosen = rows.subarray(start, start + TABLE_SOURCE_ROWS);
    const sources = new Uint32Array(chosen.length);
    yield {
      length: chosen.length,
      // Copied out, so that a slice that waits for its checkpoint does not keep the whole row group.
      columns: columns.map((column) => gatherColumn(column.type, [column], sources, chosen)),
      numbers: Float64Array.from(numbers.slice(start, start + chosen.length)),
    };
  }
}
