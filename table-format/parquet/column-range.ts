import type { Column } from "../arrow/column.ts";

/** Rows `start` to `end` of a column (entries, where it is a leaf of a nested one). A column chunk is made of several. */
export interface ColumnRange {
  readonly column: Column;
  readonly start: number;
  readonly end: number;
}

export function rowsOf(ranges: readonly ColumnRange[]): number {
  let rows = 0;
  for (const { start, end } of ranges) rows += end - start;
  return rows;
}
