import { FrazilError } from "../errors.ts";
import { defaultColumn } from "../parquet/default-value.ts";
import { isPrimitive } from "../schema/type-json.ts";
import type { NestedField, Type } from "../schema/types.ts";
import { type Cell, cellAt } from "./cell.ts";

/** `initialDefault` is for rows of files from before the field was added, `writeDefault` for new rows that leave it out. */
export type WhichDefault = "initialDefault" | "writeDefault";

/**
 * A field's default, or null (spec, "Default Values"; JSON form: appendix D). A struct's is `{}`: its fields then have their own.
 * @throws FrazilError `corrupt` when the JSON is no value of the type
 */
export function defaultCell(field: NestedField, which: WhichDefault): Cell | null {
  const json = field[which];
  return json === undefined ? null : cellOf(field.name, field.type, json, which);
}

function cellOf(name: string, type: Type, json: unknown, which: WhichDefault): Cell | null {
  if (json === null) return null;
  if (isPrimitive(type)) return cellAt(defaultColumn(type, json, 1), 0);
  switch (type.kind) {
    case "struct":
      if (!isObject(json)) break;
      return Object.fromEntries(
        type.fields.map((field) => {
          const given = json[String(field.id)];
          const value = given === undefined ? defaultCell(field, which) : cellOf(field.name, field.type, given, which);
          return [field.name, value];
        }),
      );
    case "list":
      if (!Array.isArray(json)) break;
      return json.map((item) => cellOf(`${name}.element`, type.element, item, which));
    case "map": {
      if (!isObject(json)) break;
      const { keys, values } = json;
      if (!Array.isArray(keys) || !Array.isArray(values) || keys.length !== values.length) break;
      return keys.map((key, k) => [
        cellOf(`${name}.key`, type.key, key, which),
        cellOf(`${name}.value`, type.value, values[k], which),
      ]);
    }
    default:
      break;
  }
  throw new FrazilError("corrupt", "BAD_DEFAULT", `column ${name}: expected a default of type ${type.kind}`);
}

function isObject(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
