import { FrazilError } from "../errors.ts";
import { MAX_AVRO_SCHEMA_DEPTH } from "../limits.ts";

/**
 * Avro schemas as Iceberg uses them (Avro 1.12 specification; Iceberg spec, Appendix A). Names of records are kept, names
 * resolve to the same object, and every field carries the Iceberg id that its `field-id` attribute states.
 */
export type AvroType =
  | { readonly kind: "null" | "boolean" | "int" | "long" | "float" | "double" | "bytes" | "string" }
  | { readonly kind: "fixed"; readonly name: string; readonly size: number }
  | { readonly kind: "enum"; readonly name: string; readonly symbols: readonly string[] }
  | { readonly kind: "array"; readonly items: AvroType }
  | { readonly kind: "map"; readonly values: AvroType }
  | { readonly kind: "union"; readonly branches: readonly AvroType[] }
  | AvroRecord;

export interface AvroRecord {
  readonly kind: "record";
  readonly name: string;
  /** In file order. */
  readonly fields: readonly AvroField[];
}

export interface AvroField {
  readonly name: string;
  readonly type: AvroType;
  /** Null where the writer left `field-id` out. */
  readonly fieldId: number | null;
}

/** Schema JSON as parsed by `JSON.parse`; it holds no integers beyond 2^53. */
export type AvroSchemaJson =
  | string
  | readonly AvroSchemaJson[]
  | { readonly [attribute: string]: AvroSchemaJson | number | boolean | null };

/**
 * Parses an Avro schema.
 * @throws FrazilError kind `corrupt` when it is not one.
 */
export function parseAvroSchema(text: string): AvroType {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new FrazilError("corrupt", "AVRO_SCHEMA", "expected an Avro schema in JSON, found other text", { cause });
  }
  return parseNode(json, new Map(), "", 0);
}

const PLAIN = new Set(["null", "boolean", "int", "long", "float", "double", "bytes", "string"]);

function parseNode(json: unknown, named: Map<string, AvroType>, namespace: string, depth: number): AvroType {
  if (depth > MAX_AVRO_SCHEMA_DEPTH)
    throw invalid(`a schema of at most ${MAX_AVRO_SCHEMA_DEPTH} levels`, "a deeper one");
  if (typeof json === "string") {
    if (PLAIN.has(json)) return { kind: json } as AvroType;
    const found = named.get(fullName(json, namespace)) ?? named.get(json);
    if (found === undefined) throw invalid("a type name that was defined before", json);
    return found;
  }
  if (Array.isArray(json)) {
    return { kind: "union", branches: json.map((branch) => parseNode(branch, named, namespace, depth + 1)) };
  }
  if (typeof json !== "object" || json === null) throw invalid("a type", JSON.stringify(json));
  const node = json as Record<string, unknown>;
  const type = node["type"];
  switch (type) {
    case "array":
      return { kind: "array", items: parseNode(node["items"], named, namespace, depth + 1) };
    case "map":
      return { kind: "map", values: parseNode(node["values"], named, namespace, depth + 1) };
    case "fixed": {
      const size = node["size"];
      if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
        throw invalid("a size of a fixed type", JSON.stringify(size));
      }
      return define({ kind: "fixed", name: nameOf(node), size }, node, named, namespace);
    }
    case "enum": {
      const symbols = node["symbols"];
      if (!Array.isArray(symbols)) throw invalid("symbols of an enum", JSON.stringify(symbols));
      return define({ kind: "enum", name: nameOf(node), symbols: symbols.map(String) }, node, named, namespace);
    }
    case "record":
      return parseRecord(node, named, namespace, depth);
    default:
      return parseNode(type, named, namespace, depth + 1);
  }
}

function parseRecord(
  node: Record<string, unknown>,
  named: Map<string, AvroType>,
  namespace: string,
  depth: number,
): AvroType {
  const fields: AvroField[] = [];
  const record: AvroRecord = { kind: "record", name: nameOf(node), fields };
  const inner = namespaceOf(node, namespace);
  if (!Array.isArray(node["fields"])) throw invalid(`fields of record ${record.name}`, "none");
  for (const field of node["fields"] as (Record<string, unknown> | null)[]) {
    if (typeof field !== "object" || field === null) throw invalid(`fields of record ${record.name}`, String(field));
    const fieldId = field["field-id"];
    fields.push({
      name: nameOf(field),
      type: parseNode(field["type"], named, inner, depth + 1),
      fieldId: typeof fieldId === "number" && Number.isSafeInteger(fieldId) ? fieldId : null,
    });
  }
  // Only now, so that no record contains itself: data of such a type may be nested without end, and no Iceberg file has one.
  return define(record, node, named, namespace);
}

function define(
  type: AvroType & { readonly name: string },
  node: Record<string, unknown>,
  named: Map<string, AvroType>,
  namespace: string,
): AvroType {
  named.set(fullName(type.name, namespaceOf(node, namespace)), type);
  return type;
}

function nameOf(node: Record<string, unknown>): string {
  const name = node["name"];
  if (typeof name !== "string") throw invalid("a name", JSON.stringify(name));
  return name;
}

function namespaceOf(node: Record<string, unknown>, outer: string): string {
  return typeof node["namespace"] === "string" ? node["namespace"] : outer;
}

function fullName(name: string, namespace: string): string {
  return name.includes(".") || namespace === "" ? name : `${namespace}.${name}`;
}

function invalid(expected: string, found: string): FrazilError {
  return new FrazilError("corrupt", "AVRO_SCHEMA", `Avro schema: expected ${expected}, found ${found}`);
}
