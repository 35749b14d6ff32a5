import { FrazilError } from "../errors.ts";
import { isComparable, typeText } from "./type-json.ts";
import type { NestedField, Schema, Type } from "./types.ts";

/** Ids from here on belong to metadata columns (spec, "Reserved Field IDs"). */
export const MAX_FIELD_ID = 2147483447;

/** The top-level field of this name (case matters), or null. */
export function fieldByName(schema: Schema, name: string): NestedField | null {
  return schema.fields.find((field) => field.name === name) ?? null;
}

/** The field with this id at any depth inside structs, list elements and map values, or null. */
export function fieldById(schema: Schema, id: number): NestedField | null {
  for (const field of nestedFields(schema.fields)) if (field.id === id) return field;
  return null;
}

/** The largest id that the schema uses, also of list elements, map keys and values; 0 when it has no fields. */
export function highestFieldId(schema: Schema): number {
  let highest = 0;
  for (const field of nestedFields(schema.fields)) highest = Math.max(highest, field.id);
  return highest;
}

/** Every field, nested ones after the one that holds them. List elements and map keys and values count as fields named as in the spec. */
export function* nestedFields(fields: readonly NestedField[]): Generator<NestedField> {
  for (const field of fields) {
    yield field;
    yield* nestedFields(childFields(field.type));
  }
}

/** The full name of each field by its id: names joined by dots, with `element`, `key` and `value` for what lists and maps hold. */
export function columnNames({ fields }: Pick<Schema, "fields">): Map<number, string> {
  const names = new Map<number, string>();
  const add = (level: readonly NestedField[], prefix: string): void => {
    for (const { id, name, type } of level) {
      names.set(id, prefix + name);
      add(childFields(type), `${prefix}${name}.`);
    }
  };
  add(fields, "");
  return names;
}

/** The fields that a type holds: those of a struct, a list's `element`, a map's `key` and `value`; none of other types. */
export function childFields(type: Type): readonly NestedField[] {
  switch (type.kind) {
    case "struct":
      return type.fields;
    case "list":
      return [{ id: type.elementId, name: "element", required: type.elementRequired, type: type.element }];
    case "map":
      return [
        { id: type.keyId, name: "key", required: true, type: type.key },
        { id: type.valueId, name: "value", required: type.valueRequired, type: type.value },
      ];
    default:
      return [];
  }
}

export interface NewField {
  readonly name: string;
  readonly type: Type;
  readonly required: boolean;
  readonly doc?: string;
  readonly initialDefault?: unknown;
  readonly writeDefault?: unknown;
}

/**
 * A first schema (id 0): ids from 1, top-level fields before nested ones, as Java assigns them.
 * @throws FrazilError kind `config` for repeated names and for identifier columns that the spec does not allow.
 */
export function newSchema(fields: readonly NewField[], identifierNames: readonly string[]): Schema {
  const counter = { last: 0 };
  const numbered = numberFields(fields, counter);
  const schema: Schema = { schemaId: 0, fields: numbered, identifierFieldIds: [] };
  checkNames(numbered);
  return { ...schema, identifierFieldIds: identifierNames.map((name) => identifierField(schema, name).id) };
}

/** Copies of the fields with fresh ids counted on from `counter.last`. */
export function numberFields(fields: readonly NewField[], counter: { last: number }): NestedField[] {
  const ids = fields.map(() => ++counter.last);
  return fields.map((field, i) => ({
    id: ids[i] as number,
    name: field.name,
    required: field.required,
    type: numberType(field.type, counter),
    ...(field.doc !== undefined && { doc: field.doc }),
    ...(field.initialDefault !== undefined && { initialDefault: field.initialDefault }),
    ...(field.writeDefault !== undefined && { writeDefault: field.writeDefault }),
  }));
}

function numberType(type: Type, counter: { last: number }): Type {
  switch (type.kind) {
    case "struct":
      return { kind: "struct", fields: numberFields(type.fields, counter) };
    case "list": {
      const elementId = ++counter.last;
      return { ...type, elementId, element: numberType(type.element, counter) };
    }
    case "map": {
      const keyId = ++counter.last;
      const valueId = ++counter.last;
      return { ...type, keyId, valueId, key: numberType(type.key, counter), value: numberType(type.value, counter) };
    }
    default:
      return type;
  }
}

/** @throws FrazilError kind `config` when two fields share a name. */
export function checkNames(fields: readonly NestedField[]): void {
  const seen = new Set<string>();
  for (const field of fields) {
    if (seen.has(field.name)) {
      throw new FrazilError(
        "config",
        "DUPLICATE_COLUMN",
        `column ${JSON.stringify(field.name)} stands twice in the schema`,
      );
    }
    seen.add(field.name);
  }
}

/** The field that may identify rows: a required primitive, not float or double (spec, "Identifier Field IDs"). */
function identifierField(schema: Schema, name: string): NestedField {
  const field = fieldByName(schema, name);
  if (field === null) {
    throw new FrazilError("config", "UNKNOWN_COLUMN", `key column ${JSON.stringify(name)} is not in the schema`, {
      hint: `columns: ${schema.fields.map((other) => other.name).join(", ")}`,
    });
  }
  checkIdentifierField(field);
  return field;
}

/**
 * A field may identify rows if there is one in each: it lies in required structs alone, in no list and in no map.
 * @throws FrazilError kind `config`; as `checkIdentifierField`
 */
export function checkIdentifier(schema: Schema, id: number): void {
  const check = (fields: readonly NestedField[], isInEach: boolean): void => {
    for (const field of fields) {
      if (field.id === id) {
        checkIdentifierField(field);
        if (isInEach) return;
        const message = `key column ${columnNames(schema).get(id)} must lie in required structs alone, in no list and in no map`;
        throw new FrazilError("config", "KEY_NESTED", message);
      }
      check(childFields(field.type), isInEach && field.required && field.type.kind === "struct");
    }
  };
  check(schema.fields, true);
}

/** @throws FrazilError kind `config` for a field that the spec does not allow to identify rows. */
export function checkIdentifierField({ name, type, required }: NestedField): void {
  const { kind } = type;
  if (!isComparable(type) || kind === "float" || kind === "double") {
    throw new FrazilError(
      "config",
      "KEY_TYPE",
      `key column ${name} has type ${typeText(type)}, which cannot identify rows`,
      {
        hint: "use integers, strings, decimals, dates, times, uuid or binary as key",
      },
    );
  }
  if (!required) throw new FrazilError("config", "KEY_OPTIONAL", `key column ${name} must be required`);
}
