import { type Column, type PrimitiveType, type Value, valueAt, valueText } from "../../table-format/index.ts";

/** A value of a column as JSON, in the form that query results have; see `jsonCell`. */
export function columnJson(column: Column, row: number): string {
  const value = valueAt(column, row);
  return value === null ? "null" : valueJson(column.type, value);
}

function valueJson(type: PrimitiveType, value: Value): string {
  if (typeof value === "boolean") return String(value);
  const text = valueText(type, value);
  switch (type.kind) {
    case "int":
      return text;
    case "long":
      return Number.isSafeInteger(Number(text)) ? text : `"${text}"`;
    case "float":
    case "double":
      return Number.isFinite(value) ? JSON.stringify(value) : `"${text}"`;
    case "decimal":
      // Fifteen significant digits survive a double.
      return text.replace(/\D/g, "").replace(/^0+/, "").length <= 15 ? text : `"${text}"`;
    case "timestamptz":
    case "timestamptz_ns":
      return JSON.stringify(text.replace(/\+00:00$/, "Z"));
    default:
      return JSON.stringify(text);
  }
}
