import { identText } from "../../../table-format/index.ts";
import { loadAgain } from "../../commit/maintenance-commit.ts";
import type { ExpireContext, ExpirePlan, ExpireReport } from "../../maintenance/expire/expire.ts";
import { expireCall, expiredBySpark } from "../../maintenance/spark/expire.ts";
import { must } from "../../core/errors.ts";
import type { SparkEngine } from "../spark-engine.ts";

/** Has Spark expire the snapshots of a plan. @throws FrazilError what Spark failed with. */
export async function expireBySpark(
  { place, spark }: { readonly place: ExpireContext; readonly spark: SparkEngine },
  plan: ExpirePlan,
): Promise<ExpireReport> {
  const call = expireCall(spark.catalog, plan);
  let report: ExpireReport | null = null;
  await spark.run(`frazil expire ${identText(plan.table.ident)}`, [call], async (_applicationId, [result]) => {
    if (result?.error !== undefined) return;
    report = await expiredBySpark(place.io, plan, await loadAgain(place, plan.table));
  });
  return must(report as ExpireReport | null, "a run without an error has a report");
}
