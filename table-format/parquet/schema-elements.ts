import type { SchemaElement } from "hyparquet";
import { FrazilError } from "../errors.ts";
import type { NestedField, PrimitiveType, Schema } from "../schema/types.ts";

/** A top-level field as a leaf column of a Parquet file. */
export interface LeafField {
  /** Place in the schema, and so in a batch. */
  readonly index: number;
  readonly id: number;
  readonly name: string;
  readonly required: boolean;
  readonly type: PrimitiveType;
}

/**
 * The fields that a data file has columns for: all but those of type unknown, which hold only nulls (spec, "Parquet").
 *
 * @throws FrazilError `unsupported` for structs, lists, maps, variants and geo types.
 */
export function leafFields(schema: Schema): LeafField[] {
  const leaves: LeafField[] = [];
  for (const [index, field] of schema.fields.entries()) {
    const type = writableType(field);
    if (type.kind !== "unknown") leaves.push({ index, id: field.id, name: field.name, required: field.required, type });
  }
  return leaves;
}

function writableType(field: NestedField): PrimitiveType {
  switch (field.type.kind) {
    case "struct":
    case "list":
    case "map":
    case "variant":
    case "opaque":
      throw new FrazilError(
        "unsupported",
        "UNSUPPORTED_COLUMN",
        `columns of primitive types are written, found ${field.name} of type ${field.type.kind}`,
      );
    default:
      return field.type;
  }
}

/** The footer's schema: a root and one element a leaf, with field ids and REQUIRED where the table says so. */
export function schemaElements(leaves: readonly LeafField[]): SchemaElement[] {
  return [{ name: "table", num_children: leaves.length }, ...leaves.map(schemaElement)];
}

function schemaElement(leaf: LeafField): SchemaElement {
  return {
    name: leaf.name,
    repetition_type: leaf.required ? "REQUIRED" : "OPTIONAL",
    field_id: leaf.id,
    ...physicalType(leaf.type),
    ...annotation(leaf.type),
  };
}

type Physical = Pick<SchemaElement, "type" | "type_length">;

/** How values lie in the file (spec, appendix A, "Parquet"). */
export function physicalType(type: PrimitiveType): Physical {
  switch (type.kind) {
    case "boolean":
      return { type: "BOOLEAN" };
    case "int":
    case "date":
      return { type: "INT32" };
    case "long":
    case "time":
    case "timestamp":
    case "timestamptz":
    case "timestamp_ns":
    case "timestamptz_ns":
      return { type: "INT64" };
    case "float":
      return { type: "FLOAT" };
    case "double":
      return { type: "DOUBLE" };
    case "decimal":
      if (type.precision <= 9) return { type: "INT32" };
      if (type.precision <= 18) return { type: "INT64" };
      return { type: "FIXED_LEN_BYTE_ARRAY", type_length: decimalWidth(type.precision) };
    case "uuid":
      return { type: "FIXED_LEN_BYTE_ARRAY", type_length: 16 };
    case "fixed":
      return { type: "FIXED_LEN_BYTE_ARRAY", type_length: type.length };
    case "string":
    case "binary":
    case "unknown":
    case "variant":
      return { type: "BYTE_ARRAY" };
  }
}

/** Fewest bytes whose two's complement holds every unscaled value of `precision` digits. */
export function decimalWidth(precision: number): number {
  let width = 1;
  while (2n ** BigInt(width * 8 - 1) <= 10n ** BigInt(precision)) width++;
  return width;
}

function annotation(type: PrimitiveType): Partial<SchemaElement> {
  switch (type.kind) {
    case "date":
      return { converted_type: "DATE", logical_type: { type: "DATE" } };
    case "time":
      // No converted type: the old TIME_MICROS means adjusted to UTC, which Iceberg's time is not.
      return { logical_type: { type: "TIME", isAdjustedToUTC: false, unit: "MICROS" } };
    case "timestamp":
      return { logical_type: { type: "TIMESTAMP", isAdjustedToUTC: false, unit: "MICROS" } };
    case "timestamptz":
      return {
        converted_type: "TIMESTAMP_MICROS",
        logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MICROS" },
      };
    case "timestamp_ns":
      return { logical_type: { type: "TIMESTAMP", isAdjustedToUTC: false, unit: "NANOS" } };
    case "timestamptz_ns":
      return { logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "NANOS" } };
    case "decimal": {
      const { precision, scale } = type;
      return { converted_type: "DECIMAL", precision, scale, logical_type: { type: "DECIMAL", precision, scale } };
    }
    case "string":
      return { converted_type: "UTF8", logical_type: { type: "STRING" } };
    case "uuid":
      return { logical_type: { type: "UUID" } };
    default:
      return {};
  }
}
