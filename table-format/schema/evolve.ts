import { FrazilError } from "../errors.ts";
import { checkNames, fieldByName, numberFields } from "./schema.ts";
import { typeText } from "./type-json.ts";
import type { PrimitiveType, Schema, Type } from "./types.ts";

/**
 * The schema with new optional columns at its end, and the table's last column id after that (`add-schema` wants both).
 * @throws FrazilError kind `config` when a name is taken.
 */
export function addColumns(
  schema: Schema,
  lastColumnId: number,
  columns: readonly { readonly name: string; readonly type: Type }[],
): { schema: Schema; lastColumnId: number } {
  const counter = { last: lastColumnId };
  const added = numberFields(
    columns.map((column) => ({ ...column, required: false })),
    counter,
  );
  const fields = [...schema.fields, ...added];
  checkNames(fields);
  return { schema: { ...schema, fields }, lastColumnId: counter.last };
}

/**
 * The schema with one top-level column widened; field ids stay.
 * @throws FrazilError kind `data` when the column is missing or the change would lose values.
 */
export function widenField(schema: Schema, name: string, to: PrimitiveType, formatVersion: number): Schema {
  const field = fieldByName(schema, name);
  if (field === null)
    throw new FrazilError("data", "UNKNOWN_COLUMN", `column ${JSON.stringify(name)} is not in the schema`);
  if (!canWiden(field.type, to, formatVersion)) {
    const change = `${typeText(field.type)} to ${typeText(to)}`;
    throw new FrazilError(
      "data",
      "NOT_WIDENING",
      `column ${name}: ${change} is not a widening in format version ${formatVersion}`,
      {
        hint: "legal: int to long, float to double, a decimal of the same scale to more digits; in version 3 date to timestamp",
      },
    );
  }
  return { ...schema, fields: schema.fields.map((other) => (other.id === field.id ? { ...other, type: to } : other)) };
}

/**
 * Whether values of `from` can be read as `to` without loss (spec, "Schema Evolution", type promotion). Equal types are no widening.
 * Date to timestamp is promotion in v3 only, and never to a type with time zone.
 */
export function canWiden(from: Type, to: PrimitiveType, formatVersion: number): boolean {
  switch (from.kind) {
    case "int":
      return to.kind === "long";
    case "float":
      return to.kind === "double";
    case "decimal":
      return to.kind === "decimal" && to.scale === from.scale && to.precision > from.precision;
    case "date":
      return formatVersion >= 3 && (to.kind === "timestamp" || to.kind === "timestamp_ns");
    case "unknown":
      return formatVersion >= 3 && to.kind !== "unknown";
    default:
      return false;
  }
}
