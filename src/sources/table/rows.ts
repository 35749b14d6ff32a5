import {
  type ChangedRows,
  type Column,
  type DataFile,
  fieldById,
  type FileIO,
  gatherColumn,
  isPrimitive,
  readColumns,
  readDataFileRows,
  type Schema,
  type TableMetadata,
} from "../../../table-format/index.ts";
import { must } from "../../core/errors.ts";
import { TABLE_SOURCE_ROWS, TABLE_SPARSE_ROWS } from "../../core/limits.ts";
import { textColumn } from "./cell-text.ts";

/** Whose rows are read. */
export interface TableFiles {
  readonly io: FileIO;
  readonly metadata: TableMetadata;
}

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
 * few rows that are wanted of a file. Files without a wanted row are not opened. Structs, lists and maps come as JSON texts.
 *
 * @param fieldIds top-level fields. @throws FrazilError as `readColumns`
 */
export async function* readRows(
  files: TableFiles,
  schema: Schema,
  fieldIds: readonly number[],
  choices: readonly ChangedRows[],
  wanted: Wanted,
): AsyncGenerator<RowSlice> {
  let first = 0;
  for (const choice of choices) {
    const count = countOf(choice);
    const few = choice.positions !== null && count <= TABLE_SPARSE_ROWS;
    const sparse = few && isPlain(files, schema, fieldIds, choice.file);
    if (first + count > wanted.from) {
      if (sparse) yield* readSparse(files, schema, fieldIds, choice, first, wanted);
      else if (anyWanted(first, count, wanted)) yield* readDense(files, schema, fieldIds, choice, first, wanted);
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

/** Whether single rows can be picked out of a file: one of Parquet that says all by itself, and no structs, lists or maps. */
function isPlain({ metadata }: TableFiles, schema: Schema, fieldIds: readonly number[], file: DataFile): boolean {
  if (file.fileFormat !== "PARQUET" || metadata.properties.has("schema.name-mapping.default")) return false;
  return fieldIds.every((id) => isPrimitive(must(fieldById(schema, id), `the schema has a field ${id}`).type));
}

/** A few rows of a file: row groups without any are not read. */
async function* readSparse(
  { io }: TableFiles,
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
  { io, metadata }: TableFiles,
  schema: Schema,
  fieldIds: readonly number[],
  { file, positions }: ChangedRows,
  first: number,
  wanted: Wanted,
): AsyncGenerator<RowSlice> {
  let position = 0;
  let number = first;
  const fields = fieldIds.map((id) => must(fieldById(schema, id), `the schema has a field ${id}`));
  for await (const { length, columns } of readColumns(io, metadata, file, fields)) {
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
    if (rows.length === 0) continue;
    const flat = columns.map((column) => (column.layout === "cells" ? textColumn(column) : column));
    yield* slices(flat, Uint32Array.from(rows), numbers);
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
