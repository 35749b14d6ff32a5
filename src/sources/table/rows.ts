import {
  type ChangedRows,
  type Column,
  countOf,
  fieldById,
  type FileIO,
  fileRows,
  gatherColumn,
  type RowMarks,
  type Schema,
  type TableMetadata,
} from "../../../table-format/index.ts";
import { must } from "../../core/errors.ts";
import { TABLE_SOURCE_ROWS } from "../../core/limits.ts";
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
  /** The place of their file in the list. */
  readonly file: number;
  /** Where each stands in the file, ascending. */
  readonly positions: Uint32Array;
  /** The place of each row in the whole list, from 0, ascending. */
  readonly numbers: Float64Array;
}

/** Which rows of a list are wanted. */
export interface Wanted {
  /** The number of the first. */
  readonly from: number;
  /** Rows that are not; no row is marked twice. */
  readonly without: readonly RowMarks[];
}

/**
 * Reads rows of data files, file after file, in file order, in slices of bounded size. What is held at a time is one row group, or the
 * rows that are wanted of it. Files and row groups without a wanted row are not read. Structs, lists and maps come as JSON texts.
 *
 * @param fieldIds top-level fields. @throws FrazilError as `readColumns`
 */
export async function* readRows(
  { io, metadata }: TableFiles,
  schema: Schema,
  fieldIds: readonly number[],
  choices: readonly ChangedRows[],
  { from, without }: Wanted,
): AsyncGenerator<RowSlice> {
  const fields = fieldIds.map((id) => must(fieldById(schema, id), `the schema has a field ${id}`));
  let first = 0;
  for (const [file, choice] of choices.entries()) {
    const count = countOf(choice);
    const left = count - without.reduce((sum, marks) => sum + marks.countOf(file), 0);
    if (left > 0 && first + count > from) {
      const positions = choice.positions?.toArray() ?? null;
      const skipped = Math.max(from - first, 0);
      const least = positions === null ? skipped : (positions[skipped] as number);
      const isWanted = (position: number): boolean =>
        position >= least && !without.some((marks) => marks.has(file, position));
      let place = skipped;
      for await (const rows of fileRows(io, metadata, { ...choice, isWanted }, schema, fields)) {
        const numbers = Float64Array.from(rows.positions, (position) => {
          if (positions === null) return first + position;
          while ((positions[place] as number) < position) place++;
          return first + place;
        });
        const columns = rows.columns.map((column) => (column.layout === "cells" ? textColumn(column) : column));
        yield* slices(file, columns, rows.positions, numbers);
      }
    }
    first += count;
  }
}

function* slices(
  file: number,
  columns: readonly Column[],
  positions: Uint32Array,
  numbers: Float64Array,
): Generator<RowSlice> {
  for (let start = 0; start < positions.length; start += TABLE_SOURCE_ROWS) {
    const end = Math.min(start + TABLE_SOURCE_ROWS, positions.length);
    const length = end - start;
    const sources = new Uint32Array(length);
    const chosen = Uint32Array.from({ length }, (_, row) => start + row);
    yield {
      length,
      // Copied out, so that a slice that waits for its checkpoint does not keep the whole row group.
      columns: columns.map((column) => gatherColumn(column.type, [column], sources, chosen)),
      file,
      positions: positions.slice(start, end),
      numbers: numbers.slice(start, end),
    };
  }
}
