import { QUOTE } from "../json-bytes/ascii.ts";
import { findMember, keyText } from "../json-bytes/members.ts";
import type { Range } from "../json-bytes/range.ts";
import { stringAt } from "../json-bytes/strings.ts";
import type { ConnectSchema } from "./connect-schema.ts";

const SCHEMA = keyText("schema");
const DATABASE = keyText("db");
const TABLE = keyText("table");

/**
 * Table id of a change event by its `source`: `schema.table` where the database has schemas, otherwise `db.table`; null when it names
 * no table.
 */
export function sourceTable(bytes: Uint8Array, source: Range): string | null {
  if (source.start < 0) return null;
  const table = textMember(bytes, source, TABLE);
  const space = textMember(bytes, source, SCHEMA) ?? textMember(bytes, source, DATABASE);
  return table === null ? null : space === null ? table : `${space}.${table}`;
}

function textMember(bytes: Uint8Array, object: Range, key: Uint8Array): string | null {
  const at = findMember(bytes, object.start, object.end, key);
  return at >= 0 && bytes[at] === QUOTE ? stringAt(bytes, at, object.end) : null;
}

/** Table id by the name of a key's schema, `<prefix>.<schema or db>.<table>.Key`; null when it has another form. */
export function keySchemaTable(schema: ConnectSchema | null): string | null {
  const parts = schema?.name?.split(".") ?? [];
  return parts.length >= 4 && parts.at(-1) === "Key" ? parts.slice(-3, -1).join(".") : null;
}
