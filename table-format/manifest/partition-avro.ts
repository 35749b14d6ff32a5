import type { AvroValue } from "../avro/decoder.ts";
import type { AvroSchemaJson } from "../avro/schema.ts";
import { FrazilError } from "../errors.ts";
import type { PartitionSpec } from "../metadata/table-metadata.ts";
import { parseTransform, takesSource, transformResultType } from "../partition/transform.ts";
import { nestedFields } from "../schema/schema.ts";
import { isPrimitive, typeText } from "../schema/type-json.ts";
import type { PrimitiveType, Schema } from "../schema/types.ts";
import { bytesOfUuid } from "../values/hex.ts";
import { decodeUnscaled } from "../values/single-value.ts";
import type { Value } from "./data-file.ts";

/**
 * Types of a spec's partition values. Null for a field whose transform is not known here or does not take its column, and for one
 * whose column no schema holds any more: its values are kept as Avro has them.
 * @param schemas the current one first; older ones only serve columns that were dropped since
 */
export function partitionTypes(spec: PartitionSpec, schemas: readonly Schema[]): (PrimitiveType | null)[] {
  return spec.fields.map((field) => {
    const transform = parseTransform(field.transform);
    const source = sourceType(field.sourceId, schemas);
    if (transform.kind === "other" || source === null || !takesSource(transform, source)) return null;
    return transformResultType(transform, source);
  });
}

function sourceType(sourceId: number, schemas: readonly Schema[]): PrimitiveType | null {
  for (const schema of schemas) {
    for (const field of nestedFields(schema.fields)) {
      if (field.id === sourceId) return isPrimitive(field.type) ? field.type : null;
    }
  }
  return null;
}

/**
 * The Avro record of a spec's partition values (field 102): field ids are the partition field ids.
 * @throws FrazilError kind `unsupported` for a spec that this version must not write with.
 */
export function partitionRecord(spec: PartitionSpec, types: readonly (PrimitiveType | null)[]): AvroSchemaJson {
  const defined = new Set<string>();
  const fields = spec.fields.map((field, i) => {
    const type = types[i] ?? null;
    if (type === null) {
      throw new FrazilError(
        "unsupported",
        "UNKNOWN_TRANSFORM",
        `expected transforms that can be written, found ${field.transform} on column ${field.sourceId} (partition field ${field.name})`,
        { hint: "replace the partition field by one of a known transform on an existing column" },
      );
    }
    const name = avroName(field.name);
    return {
      name,
      type: ["null", avroType(type, defined)],
      default: null,
      "field-id": field.fieldId,
      ...(name === field.name ? {} : { "iceberg-field-name": field.name }),
    };
  });
  return { type: "record", name: "r102", fields };
}

/** A name that Avro accepts, by Java's rule: `_` before a leading digit, `_x2E` for a dot. */
function avroName(name: string): string {
  let text = "";
  for (let i = 0; i < name.length; i++) {
    const char = name[i] as string;
    if (/[A-Za-z_]/.test(char) || (i > 0 && /\d/.test(char))) text += char;
    else if (/\d/.test(char)) text += `_${char}`;
    else text += `_x${char.charCodeAt(0).toString(16).toUpperCase()}`;
  }
  return text === "" ? "_" : text;
}

/** @param defined names already defined in the schema: Avro allows a definition once, and names it afterwards */
function avroType(type: PrimitiveType, defined: Set<string>): AvroSchemaJson {
  const fixed = (name: string, size: number, attributes: Record<string, string | number>): AvroSchemaJson => {
    if (defined.has(name)) return name;
    defined.add(name);
    return { type: "fixed", name, size, ...attributes };
  };
  switch (type.kind) {
    case "boolean":
    case "int":
    case "long":
    case "float":
    case "double":
    case "string":
      return type.kind;
    case "date":
      return { type: "int", logicalType: "date" };
    case "time":
      return { type: "long", logicalType: "time-micros" };
    case "timestamp":
    case "timestamptz":
      return { type: "long", logicalType: "timestamp-micros", "adjust-to-utc": type.kind === "timestamptz" };
    case "timestamp_ns":
    case "timestamptz_ns":
      return { type: "long", logicalType: "timestamp-nanos", "adjust-to-utc": type.kind === "timestamptz_ns" };
    case "uuid":
      return fixed("uuid_fixed", 16, { logicalType: "uuid" });
    case "fixed":
      return fixed(`fixed_${type.length}`, type.length, {});
    case "binary":
      return "bytes";
    case "decimal": {
      const { precision, scale } = type;
      return fixed(`decimal_${precision}_${scale}`, decimalBytes(precision), {
        logicalType: "decimal",
        precision,
        scale,
      });
    }
    case "unknown":
    case "geometry":
    case "geography":
      throw new FrazilError("unsupported", "PARTITION_TYPE", `expected a partition value's type, found ${type.kind}`);
  }
}

/** Bytes that hold every unscaled value of a precision. */
function decimalBytes(precision: number): number {
  let bytes = 1;
  while (2n ** BigInt(8 * bytes - 1) < 10n ** BigInt(precision)) bytes++;
  return bytes;
}

/** A partition value as the Avro record holds it. */
export function partitionToAvro(type: PrimitiveType, value: Value | null): AvroValue {
  return value !== null && type.kind === "decimal"
    ? fixedDecimal(value as bigint, decimalBytes(type.precision))
    : value;
}

function fixedDecimal(unscaled: bigint, width: number): Uint8Array {
  const bytes = new Uint8Array(width);
  let rest = unscaled;
  for (let i = width - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

/**
 * The inverse of `partitionToAvro`; takes the narrower Avro types of manifests written before a column was widened.
 * @param where names file and field in errors
 * @throws FrazilError kind `corrupt` for a value of another type
 */
export function partitionFromAvro(type: PrimitiveType | null, value: AvroValue, where: string): Value | null {
  if (value === null) return null;
  const converted = type === null ? plainValue(value) : typedValue(type, value);
  if (converted !== null) return converted;
  const expected = type === null ? "a primitive value" : typeText(type);
  const found = Array.isArray(value) ? "an array" : `a ${value instanceof Uint8Array ? "byte string" : typeof value}`;
  throw new FrazilError("corrupt", "PARTITION_VALUE", `${where}: expected ${expected}, found ${found}`);
}

function typedValue(type: PrimitiveType, value: Exclude<AvroValue, null>): Value | null {
  switch (type.kind) {
    case "boolean":
      return typeof value === "boolean" ? value : null;
    case "int":
    case "date":
      return typeof value === "number" || typeof value === "bigint" ? Number(value) : null;
    case "long":
    case "time":
    case "timestamp":
    case "timestamptz":
    case "timestamp_ns":
    case "timestamptz_ns":
      return Number.isSafeInteger(value) ? BigInt(value as number) : typeof value === "bigint" ? value : null;
    case "float":
    case "double":
      return typeof value === "number" ? value : null;
    case "string":
      return typeof value === "string" ? value : null;
    case "decimal":
      return value instanceof Uint8Array ? decodeUnscaled(value) : null;
    case "uuid":
      return typeof value === "string" ? bytesOfUuid(value) : bytesOrNull(value);
    case "fixed":
    case "binary":
      return bytesOrNull(value);
    case "unknown":
    case "geometry":
    case "geography":
      return plainValue(value);
  }
}

function bytesOrNull(value: AvroValue): Uint8Array | null {
  return value instanceof Uint8Array ? value : null;
}

function plainValue(value: Exclude<AvroValue, null>): Value | null {
  return Array.isArray(value) ? null : (value as Value);
}
