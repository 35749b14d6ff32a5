import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBGeometryValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBUnionValue,
  type DuckDBValue,
  DuckDBVariantValue,
} from "@duckdb/node-api";
import { isTimestamp, isoText } from "../query/cells.ts";

/**
 * A value of a row, exactly: `bigint` for integers of 64 bits and more; decimals, dates, times, UUIDs and timestamps (ISO 8601, with a
 * `Z` where they have a zone) as text; bytes and shapes (well-known binary) as bytes; lists, structs and maps of such values; a variant as
 * what it holds.
 */
export type RowValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly RowValue[]
  | ReadonlyMap<RowValue, RowValue>
  | { readonly [name: string]: RowValue };

/** A row by column name. */
export type Row = Readonly<Record<string, RowValue>>;

/** The values beside the names as an object. */
export function rowOf(names: readonly string[], values: readonly DuckDBValue[]): Row {
  return Object.fromEntries(names.map((name, index) => [name, rowValue(values[index] ?? null)]));
}

function rowValue(value: DuckDBValue): RowValue {
  if (value === null || typeof value !== "object") return value;
  // A copy: the bytes may lie in a larger buffer of the result.
  if (value instanceof DuckDBBlobValue || value instanceof DuckDBGeometryValue) return new Uint8Array(value.bytes);
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) return value.items.map(rowValue);
  if (value instanceof DuckDBStructValue) {
    return Object.fromEntries(Object.entries(value.entries).map(([name, inner]) => [name, rowValue(inner)]));
  }
  if (value instanceof DuckDBMapValue) {
    return new Map(value.entries.map((entry) => [rowValue(entry.key), rowValue(entry.value)]));
  }
  if (value instanceof DuckDBUnionValue || value instanceof DuckDBVariantValue) return rowValue(value.value);
  return isTimestamp(value) ? isoText(value) : String(value);
}
