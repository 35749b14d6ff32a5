import { identText } from "../../../table-format/index.ts";
import { loadAgain, type MaintenanceContext } from "../../commit/maintenance-commit.ts";
import { FrazilError, must } from "../../core/errors.ts";
import type { CompactPlan } from "../../maintenance/compact/plan.ts";
import type {
  ManifestRewritePlan,
  ManifestRewriteReport,
} from "../../maintenance/rewrite-manifests/rewrite-manifests.ts";
import { compactCall, manifestsCall, type SparkScope } from "../../maintenance/spark/compact.ts";
import { compactionReport, manifestsReport } from "../../maintenance/spark/report.ts";
import { WITHOUT_ENGINE } from "../../maintenance/spark/sql.ts";
import { compactedLine } from "../compacted-line.ts";
import type { Output } from "../output.ts";
import type { SparkEngine } from "../spark-engine.ts";

interface SparkPlace {
  readonly place: MaintenanceContext;
  readonly spark: SparkEngine;
}

/** Options that only our own engine has. */
interface OwnEngineOptions {
  readonly memory?: number;
  readonly pace?: number;
  readonly oldSpecs?: boolean;
}

/** @throws FrazilError `config`, code `USAGE`, for options that only our own engine has. */
export function checkSparkOptions({ memory, pace, oldSpecs }: OwnEngineOptions): void {
  const given = Object.entries({ memory, pace, "old-specs": oldSpecs }).find(([, value]) => value !== undefined);
  if (given === undefined) return;
  throw new FrazilError("config", "USAGE", `--${given[0]} is not for --engine spark`, { hint: WITHOUT_ENGINE });
}

/**
 * Has Spark do a plan, and tells what it did, a line a commit, and what it left.
 * @throws FrazilError what Spark failed with, after the report.
 */
export async function compactBySpark(
  { output, place, spark }: SparkPlace & { readonly output: Output },
  plan: CompactPlan,
  scope: SparkScope,
): Promise<void> {
  const name = identText(plan.table.ident);
  const call = compactCall(spark.catalog, plan, scope);
  await spark.run(`frazil compact ${name}`, [call], async (applicationId, [result]) => {
    const now = await loadAgain(place, plan.table);
    for (const done of await compactionReport(place, plan, now, applicationId, result?.startedMs ?? 0)) {
      await output.write(compactedLine(output, name, done));
    }
  });
}

/** Has Spark merge the manifests of a table. @throws FrazilError what Spark failed with. */
export async function rewriteManifestsBySpark(
  { place, spark }: SparkPlace,
  plan: ManifestRewritePlan,
): Promise<ManifestRewriteReport> {
  const { table } = plan;
  let report: ManifestRewriteReport | null = null;
  const call = manifestsCall(spark.catalog, table);
  await spark.run(`frazil compact ${identText(table.ident)} --manifests`, [call], async (applicationId) => {
    report = await manifestsReport(place.io, await loadAgain(place, table), applicationId);
  });
  return must(report as ManifestRewriteReport | null, "a report precedes the end of a run");
}
