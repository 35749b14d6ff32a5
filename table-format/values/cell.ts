import type { Column } from "../arrow/column.ts";
import type { Value } from "../manifest/data-file.ts";
import type { Type } from "../schema/types.ts";
import type { Variant } from "../variant/variant.ts";
import { valueAt } from "./single-value.ts";

/**
 * A value of any type. A struct is an object by field name, a list an array, a map an array of `[key, value]` pairs in the file's
 * order, a variant a `Variant`; primitive values as `Value` says.
 */
export type Cell = Value | Variant | CellStruct | readonly (Cell | null)[];

/** A struct's values by field name; absent is never used, null is. */
export interface CellStruct {
  readonly [name: string]: Cell | null;
}

/** A column of structs, lists, maps or variants: their values row by row. */
export interface NestedColumn {
  readonly layout: "cells";
  readonly type: Type;
  readonly length: number;
  readonly values: readonly (Cell | null)[];
}

/** A column of any type. */
export type AnyColumn = Column | NestedColumn;

/** Rows as columns of any type; all have `length` rows. */
export interface AnyBatch {
  readonly length: number;
  readonly columns: readonly AnyColumn[];
}

/** The value of one row. Bytes are views into the column. */
export function cellAt(column: AnyColumn, row: number): Cell | null {
  return column.layout === "cells" ? (column.values[row] ?? null) : valueAt(column, row);
}
