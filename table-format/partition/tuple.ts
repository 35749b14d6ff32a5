import type { Column } from "../arrow/column.ts";
import { FrazilError, must } from "../errors.ts";
import type { Value } from "../manifest/data-file.ts";
import type { PartitionSpec } from "../metadata/table-metadata.ts";
import type { Schema } from "../schema/types.ts";
import { hexOf } from "../values/hex.ts";
import { valueAt } from "../values/single-value.ts";
import { bindSpec } from "./spec.ts";
import { applyTransform } from "./transform.ts";

/** The partition values of one row; `columns` stand in the order of the schema's fields. */
export type TupleReader = (columns: readonly Column[], row: number) => (Value | null)[];

/**
 * Prepares a spec for reading many rows.
 * @throws FrazilError kind `unsupported` for specs that this version must not write with: unknown transforms, nested sources.
 */
export function tupleReader(spec: PartitionSpec, schema: Schema): TupleReader {
  const fields = bindSpec(spec, schema).map(({ field, transform, sourceType }) => {
    const index = schema.fields.findIndex((column) => column.id === field.sourceId);
    if (index < 0 && transform.kind !== "void") {
      const message = `partition field ${field.name} reads a nested column`;
      throw new FrazilError("unsupported", "PARTITION_SOURCE", message);
    }
    return { index, transform, sourceType };
  });
  return (columns, row) =>
    fields.map(({ index, transform, sourceType }) =>
      transform.kind === "void"
        ? null
        : applyTransform(transform, sourceType, valueAt(must(columns[index], `column ${index}`), row)),
    );
}

/** The partition values of one row; for many rows prepare a `tupleReader`. */
export function partitionTuple(
  spec: PartitionSpec,
  schema: Schema,
  columns: readonly Column[],
  row: number,
): (Value | null)[] {
  return tupleReader(spec, schema)(columns, row);
}

/**
 * A text that is equal exactly for equal tuples of one spec, as key of a map. Int and long, float and double of the same value
 * are equal, so that a widened column keeps its partitions.
 */
export function tupleKey(tuple: readonly (Value | null)[]): string {
  return tuple.map(valueKey).join("|");
}

/** The part of a `tupleKey` that one value makes. */
export function valueKey(value: Value | null): string {
  if (value === null) return "n";
  switch (typeof value) {
    case "string":
      return `s${value.length}:${value}`;
    case "object":
      return `x${hexOf(value)}`;
    default:
      return Object.is(value, -0) ? "-0" : String(value);
  }
}
