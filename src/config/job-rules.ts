import type { z } from "zod";
import type { TableRule } from "../core/table-rule.ts";

const NAME_PART = String.raw`(?:[A-Za-z0-9_-]|\$\{(?:table|schema|db|topic)\})+`;
const TABLE_NAME = new RegExp(String.raw`^${NAME_PART}\.${NAME_PART}$`);

/** `namespace.table`, placeholders allowed. */
export function isTableName(text: string): boolean {
  return TABLE_NAME.test(text);
}

/** Whether a `partition_by` entry has the right form; whether its column exists and fits is known only with the table's schema. */
export function isPartitionExpression(text: string): boolean {
  return /^(?:[^\s(),]+|(?:year|month|day|hour)\(\s*[^\s(),]+\s*\)|(?:bucket|truncate)\(\s*[1-9]\d*\s*,\s*[^\s(),]+\s*\))$/.test(
    text,
  );
}

/** Whether a `sort_by` entry has the right form. */
export function isSortExpression(text: string): boolean {
  return isPartitionExpression(text.replace(/(?:\s+(?:asc|desc))?(?:\s+nulls\s+(?:first|last))?$/i, ""));
}

/** Refuses entries of `tables:` that never match, and two that would write one table in different ways. */
export function checkTables(routes: readonly TableRule[], context: z.RefinementCtx): void {
  for (const [index, route] of routes.entries()) {
    for (const [earlier, other] of routes.slice(0, index).entries()) {
      if (other.from === route.from) {
        const message = `"${route.from}" is already taken by tables[${earlier}]: the first match wins`;
        context.addIssue({ code: "custom", path: [index, "from"], message });
      } else if (other.to === route.to && !route.to.includes("${") && shapeText(other) !== shapeText(route)) {
        const message = `${route.to} is written by tables[${earlier}] too, with other settings; give both the same ones, or two tables`;
        context.addIssue({ code: "custom", path: [index, "to"], message });
      }
    }
  }
}

/** Options of an entry of `tables:` and the modes that they belong to. */
const MODES_OF_OPTIONS = [
  ["soft_delete", "softDelete", "upsert", "other tables keep every row"],
  ["ignore_deletes", "ignoreDeletes", "upsert", "append tables refuse deletes, history tables keep them as rows"],
  ["order_by", "orderBy", "upsert", "other tables keep every row"],
  ["dedupe", "dedupe", "append", "rows of upsert tables have a key already, and history tables keep every change"],
] as const satisfies (readonly [string, keyof TableRule, TableRule["mode"], string])[];

/** Refuses options of one entry of `tables:` that contradict each other or its mode. */
export function checkTableOptions(route: TableRule, context: z.RefinementCtx): void {
  const { mode, key, columns, softDelete, orderBy } = route;
  const issue = (path: string | string[], message: string): void =>
    context.addIssue({ code: "custom", path: [path].flat(), message });
  if (mode === "append" && key !== null) {
    issue("key", "belongs to mode upsert: rows of an append table have no key");
  }
  if (repeats(key)) issue("key", "names a column twice");
  if (repeats(route.dedupe?.key ?? null)) issue(["dedupe", "key"], "names a column twice");
  for (const [name, property, belongs, why] of MODES_OF_OPTIONS) {
    const given = route[property] !== undefined && route[property] !== false;
    if (given && mode !== belongs) issue(name, `belongs to mode ${belongs}: ${why}`);
  }
  if (softDelete !== undefined) {
    if (route.ignoreDeletes === true)
      issue("ignore_deletes", "cannot stand beside soft_delete: a delete is one or the other");
    if (columns.has(softDelete))
      issue("soft_delete", `names ${softDelete}, which columns: declares; it is a column that is added`);
    if (softDelete === orderBy)
      issue("order_by", "cannot be the column of soft_delete, which is null in rows that live");
    if (key?.includes(softDelete) === true) issue("soft_delete", "cannot be a column of the key");
  }
  if (orderBy !== undefined && key?.includes(orderBy) === true) {
    issue("order_by", "cannot be a column of the key: all changes of a key would have one value");
  }
}

function repeats(names: readonly string[] | null): boolean {
  return names !== null && new Set(names).size !== names.length;
}

/** Refuses a dead-letter table that changes are written to as well. */
export function checkDeadLetterTable(
  job: { readonly tables: readonly TableRule[]; readonly dead_letter?: { readonly table: string } | undefined },
  context: z.RefinementCtx,
): void {
  const index = job.tables.findIndex((route) => route.to === job.dead_letter?.table);
  if (index < 0) return;
  const message = `${job.dead_letter?.table} is written by tables[${index}]; keep dead letters in a table of their own`;
  context.addIssue({ code: "custom", path: ["dead_letter", "table"], message });
}

function shapeText({ from: _from, to: _to, columns, ...shape }: TableRule): string {
  return JSON.stringify([shape, [...columns]]);
}
