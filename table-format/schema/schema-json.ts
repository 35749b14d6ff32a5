import { jsonText } from "../json/exact-json.ts";
import { JsonFields } from "../json/fields.ts";
import type { JsonValue } from "../metadata/table-metadata.ts";
import { fieldsJson, parseFields } from "./type-json.ts";
import type { Schema } from "./types.ts";

/** Reads a schema's JSON form (spec, appendix C). A schema without an id (v1) is schema 0. */
export function parseSchema(json: JsonValue | undefined, where = "schema"): Schema {
  const fields = new JsonFields(json, where);
  return {
    schemaId: fields.has("schema-id") ? fields.int("schema-id") : 0,
    fields: parseFields(fields),
    identifierFieldIds: fields.has("identifier-field-ids") ? fields.ints("identifier-field-ids") : [],
  };
}

/** The JSON form of a schema, as Java writes it. */
export function schemaJson(schema: Schema): JsonValue {
  return {
    type: "struct",
    "schema-id": BigInt(schema.schemaId),
    ...(schema.identifierFieldIds.length > 0 && { "identifier-field-ids": schema.identifierFieldIds.map(BigInt) }),
    fields: fieldsJson(schema.fields),
  };
}

/** The text that a manifest's header holds under `schema`. */
export function schemaJsonText(schema: Schema): string {
  return jsonText(schemaJson(schema));
}

/** Same columns, types, ids and identifier fields; the schema's own id does not count. */
export function sameSchema(a: Schema, b: Schema): boolean {
  const ids = (schema: Schema): number[] => schema.identifierFieldIds.toSorted((x, y) => x - y);
  return jsonText(fieldsJson(a.fields)) === jsonText(fieldsJson(b.fields)) && String(ids(a)) === String(ids(b));
}
