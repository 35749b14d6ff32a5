import type { PrimitiveType } from "../schema/types.ts";

/**
 * One column of values in Arrow's memory layout (https://arrow.apache.org/docs/format/Columnar.html), typed by Iceberg.
 * `validity` has one bit a row, least significant first, set = not null; null = no nulls. Slots of null rows hold zeros (empty bytes).
 *
 * | layout  | Iceberg types                                              | values |
 * |---------|------------------------------------------------------------|--------|
 * | `bits`  | boolean                                                    | one bit a row, least significant first |
 * | `i32`   | int, date (days)                                           | Int32Array |
 * | `i64`   | long, time (µs), timestamp(tz) (µs), timestamp(tz)_ns (ns) | BigInt64Array |
 * | `f32`, `f64` | float, double                                         | Float32Array, Float64Array |
 * | `i128`  | decimal: the unscaled value                                | BigInt64Array, two words a row, low word first |
 * | `bytes` | string (UTF-8), binary, geometry, geography (WKB)          | offsets (rows + 1) into bytes |
 * | `fixed` | uuid (16 bytes, big endian), fixed[n]                      | n bytes a row |
 */
export type Column =
  | (ColumnBase & { readonly layout: "bits"; readonly values: Uint8Array })
  | (ColumnBase & { readonly layout: "i32"; readonly values: Int32Array })
  | (ColumnBase & { readonly layout: "i64"; readonly values: BigInt64Array })
  | (ColumnBase & { readonly layout: "f32"; readonly values: Float32Array })
  | (ColumnBase & { readonly layout: "f64"; readonly values: Float64Array })
  | (ColumnBase & { readonly layout: "i128"; readonly values: BigInt64Array })
  | (ColumnBase & {
      readonly layout: "bytes";
      readonly offsets: Int32Array;
      readonly values: Uint8Array;
    })
  | (ColumnBase & {
      readonly layout: "fixed";
      readonly width: number;
      readonly values: Uint8Array;
    });

export interface ColumnBase {
  readonly type: PrimitiveType;
  readonly length: number;
  readonly nullCount: number;
  readonly validity: Uint8Array | null;
}

export type Layout = Column["layout"];

/** Rows as columns; all columns have `length` rows. */
export interface ColumnBatch {
  readonly length: number;
  readonly columns: readonly Column[];
}

/** The layout that holds values of a type. */
export function layoutOf(type: PrimitiveType): Layout {
  switch (type.kind) {
    case "boolean":
      return "bits";
    case "int":
    case "date":
      return "i32";
    case "long":
    case "time":
    case "timestamp":
    case "timestamptz":
    case "timestamp_ns":
    case "timestamptz_ns":
      return "i64";
    case "float":
      return "f32";
    case "double":
      return "f64";
    case "decimal":
      return "i128";
    case "string":
    case "binary":
    case "unknown":
    case "geometry":
    case "geography":
      return "bytes";
    case "uuid":
    case "fixed":
      return "fixed";
  }
}

/** Whether row `row` holds a value. */
export function isValid(column: ColumnBase, row: number): boolean {
  const validity = column.validity;
  return validity === null || ((validity[row >> 3] as number) & (1 << (row & 7))) !== 0;
}
