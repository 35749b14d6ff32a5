import type { Orphan, OrphanPlan } from "../clean-orphans/plan.ts";
import { ORPHANS_VIEW, type SparkCall, type SparkRows } from "./application.ts";
import { callText, tableName, textLiteral } from "./sql.ts";

/**
 * The call that deletes the files of a plan of which Spark, too, finds that nothing reaches them. Spark lists no folder: it is given the
 * plan's files, among which is none that a running job may still publish.
 */
export function orphansCall(catalog: string, { table, orphans }: OrphanPlan): SparkCall {
  return {
    sql: callText(catalog, "remove_orphan_files", table.ident, { file_list_view: textLiteral(ORPHANS_VIEW) }),
    table: tableName(catalog, table.ident),
    files: orphans.map(({ location }) => location),
  };
}

/** The files of the plan that Spark says it has deleted. */
export function deletedOrphans({ orphans }: OrphanPlan, { rows }: SparkRows): Orphan[] {
  const deleted = new Set(rows.map((row) => row["orphan_file_location"]));
  return orphans.filter(({ location }) => deleted.has(location));
}
