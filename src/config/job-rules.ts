import type { z } from "zod";
import type { TableRoute } from "./job-schema.ts";

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
export function checkTables(routes: readonly TableRoute[], context: z.RefinementCtx): void {
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

/** Refuses a dead-letter table that changes are written to as well. */
export function checkDeadLetterTable(
  job: { readonly tables: readonly TableRoute[]; readonly dead_letter?: { readonly table: string } | undefined },
  context: z.RefinementCtx,
): void {
  const index = job.tables.findIndex((route) => route.to === job.dead_letter?.table);
  if (index < 0) return;
  const message = `${job.dead_letter?.table} is written by tables[${index}]; keep dead letters in a table of their own`;
  context.addIssue({ code: "custom", path: ["dead_letter", "table"], message });
}

function shapeText(route: TableRoute): string {
  const { mode, key, columns, partitionBy, sortBy, formatVersion, schemaChanges } = route;
  return JSON.stringify([mode, key, [...columns], partitionBy, sortBy, formatVersion, schemaChanges]);
}
