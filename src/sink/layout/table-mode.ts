import type { LoadedTable } from "../../../table-format/index.ts";
import { tableMode } from "../../commit/table-mode.ts";
import { FrazilError } from "../../core/errors.ts";
import type { TableRule } from "../../core/table-rule.ts";

const ROWS: Readonly<Record<TableRule["mode"], string>> = {
  upsert: "one row a key",
  append: "a row for each insert",
  history: "a row for each change",
};

/**
 * Checks that a table's rows mean what those of the rule would: the modes do not mix.
 * @param table `namespace.table`.
 * @throws FrazilError `config`, code `MODE_CHANGED`.
 */
export function checkMode(table: string, metadata: LoadedTable["metadata"], { mode, to }: TableRule): void {
  const made = tableMode(metadata);
  if (made === null || made === mode) return;
  throw new FrazilError(
    "config",
    "MODE_CHANGED",
    `table ${table} holds ${ROWS[made]}, written with mode: ${made}; the job now says mode: ${mode}, ${ROWS[mode]}`,
    { hint: `set mode: ${made} again, or load into a new table: change to: ${to} and the job's name:` },
  );
}
