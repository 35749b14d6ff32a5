import type { Value } from "../manifest/data-file.ts";
import type { PrimitiveType } from "../schema/types.ts";
import { hexOf } from "../values/hex.ts";
import { compareValues } from "../values/single-value.ts";

/** Negative, zero or positive. Values are neither null nor NaN. */
export type CompareLiterals = (a: Value, b: Value) => number;

/** The order of predicates: Iceberg's, but −0.0 and 0.0 are equal. */
export function literalOrder(type: PrimitiveType): CompareLiterals {
  if (type.kind === "float" || type.kind === "double") return (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  return (a, b) => compareValues(type, a, b);
}

/**
 * The orders by which a writer may have found the bounds of a type: Java compares uuids as pairs of signed longs
 * (apache/iceberg#14216), where Parquet and others compare unsigned bytes.
 */
export function boundOrders(type: PrimitiveType): readonly CompareLiterals[] {
  const order = literalOrder(type);
  return type.kind === "uuid" ? [order, compareSignedUuids] : [order];
}

function compareSignedUuids(a: Value, b: Value): number {
  for (const offset of [0, 8]) {
    const [x, y] = [signedAt(a as Uint8Array, offset), signedAt(b as Uint8Array, offset)];
    if (x !== y) return x < y ? -1 : 1;
  }
  return 0;
}

function signedAt(bytes: Uint8Array, offset: number): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigInt64(offset);
}

/** The values of an `in` or `not-in`: each once, in the order of predicates. */
export interface ValueSet {
  readonly values: readonly Value[];
  has(value: Value): boolean;
}

export function valueSet(type: PrimitiveType, values: readonly Value[]): ValueSet {
  const byKey = new Map(values.map((value) => [keyOf(value), value]));
  return { values: [...byKey.values()].toSorted(literalOrder(type)), has: (value) => byKey.has(keyOf(value)) };
}

/** A map takes −0.0 and 0.0 for one key. */
function keyOf(value: Value): Exclude<Value, Uint8Array> {
  return value instanceof Uint8Array ? hexOf(value) : value;
}
