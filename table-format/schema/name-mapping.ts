import { FrazilError } from "../errors.ts";
import { jsonText, parseJson } from "../json/exact-json.ts";
import { JsonFields } from "../json/fields.ts";
import { MAX_TYPE_DEPTH } from "../limits.ts";
import type { JsonValue } from "../metadata/table-metadata.ts";
import { childFields } from "./schema.ts";
import type { NestedField, Schema } from "./types.ts";

/** The table property that holds a mapping. */
export const NAME_MAPPING_PROPERTY = "schema.name-mapping.default";

/** Field ids by the names of columns, for data files without field ids (spec, "Name Mapping Serialization"). */
export interface MappedField {
  /** Null for a column that is to be left alone while its children are mapped. */
  readonly fieldId: number | null;
  readonly fields: NameMapping;
}

/** Fields of one level by each of their names; a list's element is named `element`, a map's parts `key` and `value`. */
export type NameMapping = ReadonlyMap<string, MappedField>;

/**
 * Reads the mapping of a table's properties; null when there is none.
 * @throws FrazilError kind `corrupt`
 */
export function nameMapping(properties: ReadonlyMap<string, string>): NameMapping | null {
  const text = properties.get(NAME_MAPPING_PROPERTY);
  if (text === undefined) return null;
  return levelOf(new JsonFields({ fields: parseJson(text) }, NAME_MAPPING_PROPERTY), 0);
}

function levelOf(json: JsonFields, depth: number): NameMapping {
  if (depth > MAX_TYPE_DEPTH) {
    throw new FrazilError("corrupt", "NAME_MAPPING", `${NAME_MAPPING_PROPERTY}: deeper than ${MAX_TYPE_DEPTH} levels`);
  }
  const level = new Map<string, MappedField>();
  for (const field of json.objects("fields")) {
    const mapped: MappedField = {
      fieldId: field.has("field-id") ? field.int("field-id") : null,
      fields: field.has("fields") ? levelOf(field, depth + 1) : new Map(),
    };
    field.array("names").forEach((name, i) => {
      if (typeof name !== "string") throw field.error(`names[${i}]`, "a string");
      level.set(name, mapped);
    });
  }
  return level;
}

/** The mapping of a schema by the names that its columns have now, as the table property holds it. */
export function nameMappingText(schema: Schema): string {
  return jsonText(mappingOf(schema.fields, new Map()));
}

/**
 * The table's mapping with the names of a changed schema: columns keep the names that they had, new ones come in, and a name that a
 * new column takes belongs to it alone (as Java's `MappingUtil.update`). Null when the table has none, or nothing changes.
 */
export function changedNameMapping(properties: ReadonlyMap<string, string>, schema: Schema): string | null {
  const text = properties.get(NAME_MAPPING_PROPERTY);
  const known = nameMapping(properties);
  if (text === undefined || known === null) return null;
  const changed = jsonText(mappingOf(schema.fields, known));
  return changed === jsonText(parseJson(text)) ? null : changed;
}

function mappingOf(fields: readonly NestedField[], known: NameMapping): JsonValue {
  const current = new Set(fields.map(({ name }) => name));
  const entry = (id: number | null, names: readonly string[], children: JsonValue): JsonValue => ({
    ...(id === null ? {} : { "field-id": BigInt(id) }),
    names,
    ...(Array.isArray(children) && children.length === 0 ? {} : { fields: children }),
  });
  const old = Map.groupBy(known, ([, { fieldId }]) => fieldId);
  const mapped = fields.map((field) => {
    const before = old.get(field.id) ?? [];
    // A name that another column has now is that column's.
    const names = before.map(([name]) => name).filter((name) => name === field.name || !current.has(name));
    if (!names.includes(field.name)) names.push(field.name);
    return entry(field.id, names, mappingOf(childFields(field.type), before[0]?.[1].fields ?? new Map()));
  });
  const ids = new Set<number | null>(fields.map(({ id }) => id));
  // Columns that are gone keep their names: without them a file's column might be taken for a new one.
  const gone = [...old]
    .filter(([id]) => !ids.has(id))
    .flatMap(([id, entries]) => {
      const names = entries.map(([name]) => name).filter((name) => !current.has(name));
      return names.length === 0 ? [] : [entry(id, names, mappingOf([], entries[0]?.[1].fields ?? new Map()))];
    });
  return [...mapped, ...gone];
}
