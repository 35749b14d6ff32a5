import { currentSchema, type LoadedTable } from "../../table-format/index.ts";
import type { TableRule } from "../core/table-rule.ts";
import { tagName } from "./names.ts";

/**
 * The table property that says which mode of a job a table was made for. It is no `ingest.…`: what begins so names a pipeline, and one
 * may be called `mode`.
 */
export const MODE_PROPERTY = "frazil.mode";

/** What only tables with `mode: history` have all of. */
const HISTORY_NAMES = ["_op", "_ts", "_split", "_position"];

/**
 * The mode that a table's rows were written under: as its property says, or, for tables from before there was one, as its columns show.
 * Null where neither does: another engine has made the table, and no pipeline has written to it.
 */
export function tableMode(metadata: LoadedTable["metadata"]): TableRule["mode"] | null {
  const told = metadata.properties.get(MODE_PROPERTY);
  if (told === "upsert" || told === "append" || told === "history") return told;
  const schema = currentSchema(metadata);
  if (schema.identifierFieldIds.length > 0) return "upsert";
  if (HISTORY_NAMES.every((name) => schema.fields.some((field) => field.name === name))) return "history";
  return [...metadata.refs.keys()].some((ref) => ref.startsWith(tagName(""))) ? "append" : null;
}
