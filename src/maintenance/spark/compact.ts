import { currentSchema, fieldById, identText, type LoadedTable } from "../../../table-format/index.ts";
import { FrazilError } from "../../core/errors.ts";
import { COMPACT_COMMIT_BYTES, COMPACT_ONCE_DELETE_RATIO, SPARK_COMMITS } from "../../core/limits.ts";
import type { CompactPlan } from "../compact/plan.ts";
import type { SparkCall } from "./application.ts";
import { callText, mapLiteral, sortOrderText, tableName, textLiteral, WITHOUT_ENGINE, zOrderText } from "./sql.ts";
import { conditionText, partitionText } from "./where.ts";

/** What was asked for besides the plan's settings, as it was written. */
export interface SparkScope {
  readonly where: string | undefined;
  readonly partition: string | undefined;
  readonly nowMs: number;
}

/** As `LARGE_SHARE` of the plan: Spark chooses by the same measure. */
const LARGE_SHARE = 0.75;

/**
 * The call that does what a plan says: files of the same sizes and shares of deleted rows are taken, each group is a commit of its own,
 * and one that fails keeps no other from being committed.
 *
 * @throws FrazilError `config` for what Iceberg's procedure cannot do.
 */
export function compactCall(catalog: string, plan: CompactPlan, scope: SparkScope): SparkCall {
  const { table, settings } = plan;
  if (settings.oldSpecs === true) {
    throw new FrazilError("config", "USAGE", "--old-specs is not what Spark's procedure does", {
      hint: WITHOUT_ENGINE,
    });
  }
  const arrangement = arrangementArgs(plan);
  const where = whereOf(catalog, plan, scope);
  const options = {
    "target-file-size-bytes": String(settings.targetSizeBytes),
    "min-file-size-bytes": String(Math.floor(settings.targetSizeBytes * LARGE_SHARE)),
    "min-input-files": String(Math.max(2, settings.minFiles)),
    "delete-ratio-threshold": String(settings.deleteRatio ?? COMPACT_ONCE_DELETE_RATIO),
    "max-file-group-size-bytes": String(settings.maxBytes ?? COMPACT_COMMIT_BYTES),
    // More than there are groups: then each is a commit. A commit that fails makes the call fail, behind those that do not.
    "partial-progress.enabled": "true",
    "partial-progress.max-commits": String(SPARK_COMMITS),
    "partial-progress.max-failed-commits": "0",
    // Position deletes of files that are gone would stay behind; deletion vectors go with their files.
    ...(table.metadata.formatVersion === 2 ? { "remove-dangling-deletes": "true" } : {}),
    ...(arrangement === null ? {} : { "rewrite-all": "true" }),
  };
  return {
    sql: callText(catalog, "rewrite_data_files", table.ident, {
      ...(arrangement ?? { strategy: textLiteral("binpack") }),
      options: mapLiteral(options),
      ...(where === null ? {} : { where: textLiteral(where) }),
    }),
    table: tableName(catalog, table.ident),
    redoes: arrangement !== null,
  };
}

/** What the report says of the order of rows. Spark reads the files of a group side by side: their order is not promised. */
export function sparkArrangementText(plan: CompactPlan): string {
  return plan.settings.arrangement === undefined ? "joined by Spark" : "sorted by Spark";
}

/** The call that merges the manifests of a table. */
export function manifestsCall(catalog: string, { ident }: LoadedTable): SparkCall {
  const sql = callText(catalog, "rewrite_manifests", ident, { use_caching: "false" });
  return { sql, table: tableName(catalog, ident) };
}

function arrangementArgs({ table, settings }: CompactPlan): Record<string, string> | null {
  const { arrangement } = settings;
  const nameOf = (id: number): string => {
    const name = fieldById(currentSchema(table.metadata), id)?.name;
    if (name !== undefined) return name;
    throw new FrazilError("config", "SORT_ORDER", `table ${identText(table.ident)} has no column of id ${id}`);
  };
  if (arrangement === undefined || arrangement.kind === "keep") return null;
  const order =
    arrangement.kind === "sort"
      ? sortOrderText(arrangement.order, nameOf)
      : zOrderText(arrangement.fieldIds.map((id) => nameOf(id)));
  return { strategy: textLiteral("sort"), sort_order: textLiteral(order) };
}

function whereOf(catalog: string, plan: CompactPlan, { where, partition, nowMs }: SparkScope): string | null {
  const { metadata } = plan.table;
  const parts: string[] = [];
  if (where !== undefined) parts.push(conditionText(metadata, catalog, where, nowMs));
  if (partition !== undefined) {
    const files = plan.groups.flatMap(({ inputs }) => inputs.map(({ live }) => live.file));
    parts.push(partitionText(metadata, catalog, partition, files));
  }
  return parts.length === 0 ? null : parts.map((part) => `(${part})`).join(" AND ");
}
