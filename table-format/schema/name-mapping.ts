import { FrazilError } from "../errors.ts";
import { parseJson } from "../json/exact-json.ts";
import { JsonFields } from "../json/fields.ts";
import { MAX_TYPE_DEPTH } from "../limits.ts";

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
