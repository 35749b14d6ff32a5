import { currentSchema, fieldById } from "../../table-format/index.ts";
import type { TrackedTable } from "../commit/tracked-table.ts";
import { FrazilError, must } from "../core/errors.ts";
import type { TableRule } from "../core/table-rule.ts";
import { targetMatcher } from "../sink/layout/router.ts";
import { checkMode } from "../sink/layout/table-mode.ts";

/**
 * Checks the job file against the tables that the job has written: a table made for one mode or key cannot go on under another.
 * @throws FrazilError `config`, code `MODE_CHANGED` or `KEY_CHANGED`.
 */
export function checkRules(tables: Iterable<TrackedTable>, rules: readonly TableRule[]): void {
  for (const { name, loaded } of tables) {
    const rule = rules.find((candidate) => targetMatcher([candidate])(loaded.ident));
    if (rule === undefined) continue;
    checkMode(name, loaded.metadata, rule);
    const schema = currentSchema(loaded.metadata);
    const key = schema.identifierFieldIds.map((id) => must(fieldById(schema, id), "an identifier field exists").name);
    if (key.length > 0 && rule.key !== null && !sameNames(rule.key, key)) throw keyChanged(name, key, rule.key);
  }
}

function keyChanged(table: string, key: readonly string[], declared: readonly string[]): FrazilError {
  return new FrazilError(
    "config",
    "KEY_CHANGED",
    `table ${table} has the key [${key.join(", ")}], the job says [${declared.join(", ")}]`,
    { hint: `set key: [${key.join(", ")}], or load into a new table: change its to: and the job's name:` },
  );
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.toSorted().join("\0") === b.toSorted().join("\0");
}
