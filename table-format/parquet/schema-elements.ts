import type { SchemaElement } from "hyparquet";
import { FrazilError } from "../errors.ts";
import { childFields } from "../schema/schema.ts";
import { isGeospatial, typeText } from "../schema/type-json.ts";
import type { EdgeAlgorithm, NestedField, PrimitiveType, Schema } from "../schema/types.ts";

/** A column chunk of each row group: a field of a primitive type, at the top or below structs, lists and maps. */
export interface LeafField {
  readonly id: number;
  readonly type: PrimitiveType;
  /** The elements from the root to this one, which is without annotations: as such its values are encoded. */
  readonly path: readonly SchemaElement[];
  /** Definition level of a value: optional and repeated elements on the path (Parquet format, "Nested Encoding"). */
  readonly definition: number;
  /** Repeated elements on the path: lists and maps. */
  readonly repetition: number;
  /** Whether its least and greatest values say something: not of shapes, and not of the bytes of variants, of which two leaves have one id. */
  readonly isBounded: boolean;
}

/** A top-level field that a data file has columns for. */
export interface FileField {
  /** Place in the schema, and so in a batch. */
  readonly index: number;
  readonly field: NestedField;
  readonly leaves: readonly LeafField[];
}

/** How the rows of a schema lie in a data file. */
export interface FileLayout {
  /** The footer's schema, depth first, with field ids and REQUIRED where the table says so. */
  readonly elements: SchemaElement[];
  readonly fields: readonly FileField[];
}

interface Parent {
  readonly path: readonly SchemaElement[];
  readonly name: string;
  readonly definition: number;
  readonly repetition: number;
}

/**
 * Lays out a schema (spec, appendix A, "Parquet"): lists and maps have three levels of the standard names. Fields of type unknown,
 * which hold only nulls, have no column.
 *
 * @throws FrazilError `unsupported` naming a field that would be a group of nothing
 */
export function fileLayout(schema: Schema): FileLayout {
  const stored = [...schema.fields.entries()].filter(([, field]) => isStored(field));
  const root: SchemaElement = { name: "table", num_children: stored.length };
  const elements = [root];
  const fields = stored.map(([index, field]): FileField => {
    const leaves: LeafField[] = [];
    append(field, { path: [root], name: "", definition: 0, repetition: 0 }, elements, leaves);
    return { index, field, leaves };
  });
  return { elements, fields };
}

/** Whether a field of a schema or a struct has columns. */
export function isStored({ type }: NestedField): boolean {
  return type.kind !== "unknown";
}

/** The leaves of a variant, which have no ids. */
const VARIANT_PARTS: readonly SchemaElement[] = [
  { name: "metadata", repetition_type: "REQUIRED", type: "BYTE_ARRAY" },
  { name: "value", repetition_type: "REQUIRED", type: "BYTE_ARRAY" },
];

function append(field: NestedField, parent: Parent, elements: SchemaElement[], leaves: LeafField[]): void {
  const { id, required, type } = field;
  const name = parent.name === "" ? field.name : `${parent.name}.${field.name}`;
  const named: SchemaElement = { name: field.name, repetition_type: required ? "REQUIRED" : "OPTIONAL" };
  const { repetition } = parent;
  const definition = parent.definition + (required ? 0 : 1);
  switch (type.kind) {
    case "struct": {
      const children = type.fields.filter(isStored);
      if (children.length === 0) throw unwritable(name, field);
      const group = { ...named, field_id: id, num_children: children.length };
      elements.push(group);
      const below = { path: [...parent.path, group], name, definition, repetition };
      for (const child of children) append(child, below, elements, leaves);
      return;
    }
    case "list":
    case "map": {
      const children = childFields(type);
      if (!children.every(isStored)) throw unwritable(name, field);
      const kind = type.kind === "list" ? "LIST" : "MAP";
      const group: SchemaElement = {
        ...named,
        field_id: id,
        num_children: 1,
        converted_type: kind,
        logical_type: { type: kind },
      };
      const repeated: SchemaElement = {
        name: type.kind === "list" ? "list" : "key_value",
        repetition_type: "REPEATED",
        num_children: children.length,
      };
      elements.push(group, repeated);
      const path = [...parent.path, group, repeated];
      const below = { path, name, definition: definition + 1, repetition: repetition + 1 };
      for (const child of children) append(child, below, elements, leaves);
      return;
    }
    case "variant": {
      // Not shredded: every reader takes that.
      const group = { ...named, num_children: VARIANT_PARTS.length };
      elements.push({ ...group, field_id: id, logical_type: { type: "VARIANT" } });
      for (const part of VARIANT_PARTS) {
        elements.push(part);
        const path = [...parent.path, group, part];
        leaves.push({ id, type: { kind: "binary" }, path, definition, repetition, isBounded: false });
      }
      return;
    }
    case "unknown":
      throw unwritable(name, field);
    default: {
      const bare = { ...named, ...physicalType(type) };
      elements.push({ ...bare, field_id: id, ...annotation(type) });
      const isBounded = !isGeospatial(type);
      leaves.push({ id, type, path: [...parent.path, bare], definition, repetition, isBounded });
    }
  }
}

function unwritable(name: string, { type }: NestedField): FrazilError {
  const text = typeText(type);
  return new FrazilError(
    "unsupported",
    "UNSUPPORTED_COLUMN",
    `column ${name}: columns of type ${text} are not written`,
  );
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
    case "geometry":
    case "geography":
    case "unknown":
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
    case "geometry":
      return { logical_type: { type: "GEOMETRY", crs: type.crs } };
    case "geography": {
      const algorithm = type.algorithm.toUpperCase() as Uppercase<EdgeAlgorithm>;
      return { logical_type: { type: "GEOGRAPHY", crs: type.crs, algorithm } };
    }
    default:
      return {};
  }
}
