import { FrazilError } from "../errors.ts";
import { canWiden } from "../schema/evolve.ts";
import { isPrimitive, typesEqual, typeText } from "../schema/type-json.ts";
import type { NestedField, PrimitiveType, Schema, Type } from "../schema/types.ts";
import type { TableOperation } from "./operation.ts";
import type { SchemaChange } from "./schema-changes.ts";
import { schemaOperation } from "./update-schema.ts";

/**
 * Makes the table's schema take rows of another one, by the names of columns at any depth (Java's `unionByNameWith`): columns that are
 * missing are added, optional ones, at the end; types become as wide as both; what may be missing there may be missing here, and its
 * descriptions are taken. Nothing is dropped, moved or narrowed; ids of the other schema count for nothing.
 *
 * The commit throws `data` naming a column whose types have nothing in common.
 */
export function unionByName(other: Pick<Schema, "fields">): TableOperation {
  return schemaOperation("union by name", ({ fields }) => [...unionOf(fields, other.fields, [])]);
}

function* unionOf(
  present: readonly NestedField[],
  wanted: readonly NestedField[],
  path: readonly string[],
): Generator<SchemaChange> {
  for (const field of wanted) {
    const own = present.find(({ name }) => name === field.name);
    const { name, type, doc } = field;
    if (own !== undefined) {
      yield* unionOfField(own, field, [...path, name]);
      continue;
    }
    const parent = path.length === 0 ? {} : { parent: path.join(".") };
    yield { change: "add-column", ...parent, name, type, ...(doc !== undefined && { doc }) };
  }
}

function* unionOfField(own: NestedField, wanted: NestedField, path: readonly string[]): Generator<SchemaChange> {
  const name = path.join(".");
  if (own.required && !wanted.required) yield { change: "make-column-optional", name };
  if (wanted.doc !== undefined && wanted.doc !== own.doc) yield { change: "update-column-doc", name, doc: wanted.doc };
  yield* unionOfType(own.type, wanted.type, path);
}

function* unionOfType(own: Type, wanted: Type, path: readonly string[]): Generator<SchemaChange> {
  if (own.kind === "struct" && wanted.kind === "struct") {
    yield* unionOf(own.fields, wanted.fields, path);
  } else if (own.kind === "list" && wanted.kind === "list") {
    const part = (list: typeof own): NestedField => held("element", list.elementRequired, list.element);
    yield* unionOfField(part(own), part(wanted), [...path, "element"]);
  } else if (own.kind === "map" && wanted.kind === "map") {
    // What a key is, is what makes it equal to another.
    if (!typesEqual(withoutIds(own.key), withoutIds(wanted.key))) throw noUnion([...path, "key"], own.key, wanted.key);
    const part = (map: typeof own): NestedField => held("value", map.valueRequired, map.value);
    yield* unionOfField(part(own), part(wanted), [...path, "value"]);
  } else if (isPrimitive(own) && isPrimitive(wanted)) {
    if (typesEqual(own, wanted) || isNarrower(wanted, own)) return;
    yield { change: "update-column", name: path.join("."), type: wanted };
  } else {
    throw noUnion(path, own, wanted);
  }
}

function held(name: string, required: boolean, type: Type): NestedField {
  return { id: 0, name, required, type };
}

/** Whether values of one type fit into the other as it is. */
function isNarrower(from: PrimitiveType, to: PrimitiveType): boolean {
  return from.kind === "unknown" || (from.kind !== "date" && canWiden(from, to, 3));
}

/** The type, told by its names alone. */
function withoutIds(type: Type): Type {
  switch (type.kind) {
    case "struct":
      return { ...type, fields: type.fields.map((field) => ({ ...field, id: 0, type: withoutIds(field.type) })) };
    case "list":
      return { ...type, elementId: 0, element: withoutIds(type.element) };
    case "map":
      return { ...type, keyId: 0, valueId: 0, key: withoutIds(type.key), value: withoutIds(type.value) };
    default:
      return type;
  }
}

function noUnion(path: readonly string[], own: Type, wanted: Type): FrazilError {
  const message = `column ${path.join(".")}: expected ${typeText(own)}, or what it can be widened to, found ${typeText(wanted)}`;
  return new FrazilError("data", "NO_UNION", message);
}
