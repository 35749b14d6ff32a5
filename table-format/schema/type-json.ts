import { FrazilError } from "../errors.ts";
import { JsonFields } from "../json/fields.ts";
import { jsonText } from "../json/exact-json.ts";
import { MAX_FIXED_BYTES } from "../limits.ts";
import type { JsonValue } from "../metadata/table-metadata.ts";
import type {
  EdgeAlgorithm,
  GeographyType,
  GeometryType,
  ListType,
  MapType,
  NestedField,
  PlainKind,
  PrimitiveType,
  StructType,
  Type,
} from "./types.ts";

const PLAIN: Record<PlainKind, true> = {
  boolean: true,
  int: true,
  long: true,
  float: true,
  double: true,
  date: true,
  time: true,
  timestamp: true,
  timestamptz: true,
  timestamp_ns: true,
  timestamptz_ns: true,
  string: true,
  uuid: true,
  binary: true,
  unknown: true,
};

const MAX_DECIMAL_PRECISION = 38;

const DEFAULT_CRS = "OGC:CRS84";
const EDGE_ALGORITHMS: readonly EdgeAlgorithm[] = ["spherical", "vincenty", "thomas", "andoyer", "karney"];

/**
 * Reads a type's JSON form (spec, appendix C).
 * @throws FrazilError `unsupported` for a type that no version of the spec up to 3 knows, `corrupt` for a broken form.
 */
export function parseType(json: JsonValue): Type {
  return typeFromJson(json, "type");
}

/** @internal `parseType` with the place of the type for messages. */
function typeFromJson(json: JsonValue | undefined, where: string): Type {
  if (typeof json === "string") {
    if (json === "variant") return { kind: "variant" };
    const type = primitiveFromText(json) ?? geospatialFromText(json);
    if (type === null) {
      throw new FrazilError("unsupported", "UNKNOWN_TYPE", `${where}: type ${JSON.stringify(json)} is not known`);
    }
    return type;
  }
  const fields = new JsonFields(json, where);
  switch (fields.string("type")) {
    case "struct":
      return { kind: "struct", fields: parseFields(fields) };
    case "list":
      return {
        kind: "list",
        elementId: fields.int("element-id"),
        elementRequired: fields.boolean("element-required"),
        element: typeFromJson(fields.get("element"), fields.path("element")),
      };
    case "map":
      return {
        kind: "map",
        keyId: fields.int("key-id"),
        key: typeFromJson(fields.get("key"), fields.path("key")),
        valueId: fields.int("value-id"),
        valueRequired: fields.boolean("value-required"),
        value: typeFromJson(fields.get("value"), fields.path("value")),
      };
    default:
      throw fields.error("type", '"struct", "list" or "map"');
  }
}

/** The `fields` of a struct or a schema. */
export function parseFields(struct: JsonFields): NestedField[] {
  return struct.objects("fields").map((field) => ({
    id: field.int("id"),
    name: field.string("name"),
    required: field.boolean("required"),
    type: typeFromJson(field.get("type"), field.path("type")),
    ...(field.has("doc") && { doc: field.string("doc") }),
    ...(field.has("initial-default") && { initialDefault: field.get("initial-default") }),
    ...(field.has("write-default") && { writeDefault: field.get("write-default") }),
  }));
}

/** The JSON form of a type, as Java writes it. */
export function typeJson(type: Type): JsonValue {
  switch (type.kind) {
    case "struct":
      return { type: "struct", fields: fieldsJson(type.fields) };
    case "list":
      return {
        type: "list",
        "element-id": BigInt(type.elementId),
        element: typeJson(type.element),
        "element-required": type.elementRequired,
      };
    case "map":
      return {
        type: "map",
        "key-id": BigInt(type.keyId),
        key: typeJson(type.key),
        "value-id": BigInt(type.valueId),
        value: typeJson(type.value),
        "value-required": type.valueRequired,
      };
    default:
      return typeText(type);
  }
}

/** The JSON form of a struct's fields. */
export function fieldsJson(fields: readonly NestedField[]): JsonValue {
  return fields.map((field) => ({
    id: BigInt(field.id),
    name: field.name,
    required: field.required,
    type: typeJson(field.type),
    ...(field.doc !== undefined && { doc: field.doc }),
    ...(field.initialDefault !== undefined && { "initial-default": field.initialDefault as JsonValue }),
    ...(field.writeDefault !== undefined && { "write-default": field.writeDefault as JsonValue }),
  }));
}

/** A type as people read it and as the spec writes it: `decimal(18, 2)`, `fixed[16]`, `list<int>`. */
export function typeText(type: Type): string {
  switch (type.kind) {
    case "decimal":
      return `decimal(${type.precision}, ${type.scale})`;
    case "fixed":
      return `fixed[${type.length}]`;
    case "geometry":
      return `geometry(${type.crs})`;
    case "geography":
      return `geography(${type.crs}, ${type.algorithm})`;
    case "list":
      return `list<${typeText(type.element)}>`;
    case "map":
      return `map<${typeText(type.key)}, ${typeText(type.value)}>`;
    case "struct":
      return `struct<${type.fields.map((field) => `${field.name}: ${typeText(field.type)}`).join(", ")}>`;
    default:
      return type.kind;
  }
}

/**
 * Reads a primitive type as a person writes it: `decimal(18,2)`, `fixed[16]`, `timestamptz`.
 * @throws FrazilError kind `config` listing the names that exist.
 */
export function parsePrimitiveType(text: string): PrimitiveType {
  const type = primitiveFromText(text.trim().toLowerCase());
  if (type !== null) return type;
  throw new FrazilError("config", "UNKNOWN_TYPE", `${JSON.stringify(text)} is not a column type`, {
    hint: `use one of ${Object.keys(PLAIN).join(", ")}, decimal(P,S) with S <= P <= ${MAX_DECIMAL_PRECISION}, fixed[N]`,
  });
}

function primitiveFromText(text: string): PrimitiveType | null {
  if (Object.hasOwn(PLAIN, text)) return { kind: text as PlainKind };
  const decimal = /^decimal\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)$/.exec(text);
  if (decimal !== null) {
    const [precision, scale] = [Number(decimal[1]), Number(decimal[2])];
    const fits = precision >= 1 && precision <= MAX_DECIMAL_PRECISION && scale <= precision;
    return fits ? { kind: "decimal", precision, scale } : null;
  }
  const fixed = /^fixed\[\s*(\d{1,9})\s*\]$/.exec(text);
  const length = Number(fixed?.[1] ?? 0);
  return length === 0 || length > MAX_FIXED_BYTES ? null : { kind: "fixed", length };
}

/** `geometry`, `geometry(C)`, `geography`, `geography(C)`, `geography(C, A)`; null for another text. */
function geospatialFromText(text: string): GeometryType | GeographyType | null {
  const match = /^(geometry|geography)\s*(?:\(\s*(.+?)\s*\))?$/i.exec(text);
  if (match === null) return null;
  const [, name = "", parameters = DEFAULT_CRS] = match;
  if (name.toLowerCase() === "geometry") return { kind: "geometry", crs: parameters };
  const [, crs = "", named = "spherical"] = /^([^,]+?)\s*(?:,\s*(\w+))?$/.exec(parameters) ?? [];
  const algorithm = EDGE_ALGORITHMS.find((each) => each === named.toLowerCase());
  return crs === "" || algorithm === undefined ? null : { kind: "geography", crs, algorithm };
}

/** Whether a type is one of the spec's primitive types: a column of it holds one value a row, in Arrow's layout. */
export function isPrimitive(type: Type): type is PrimitiveType {
  return !isNested(type) && type.kind !== "variant";
}

/** Whether a type is a struct, a list or a map. */
export function isNested(type: Type): type is StructType | ListType | MapType {
  return type.kind === "struct" || type.kind === "list" || type.kind === "map";
}

/** Whether values of a type have an order and are equal or not, so that columns can be compared with, told apart and skipped by them. */
export function isComparable(type: Type): type is PrimitiveType {
  return isPrimitive(type) && type.kind !== "unknown" && !isGeospatial(type);
}

/** Well-known binary: equal shapes may have different bytes, and bounds are points. */
export function isGeospatial({ kind }: Type): boolean {
  return kind === "geometry" || kind === "geography";
}

/** Whether a column has no default but null (spec, "Default Values"). */
export function hasNoDefault(type: Type): boolean {
  return type.kind === "variant" || type.kind === "unknown" || isGeospatial(type);
}

/** Same type, including the field ids, names and requiredness of what is nested. */
export function typesEqual(a: Type, b: Type): boolean {
  return a === b || jsonText(typeJson(a)) === jsonText(typeJson(b));
}
