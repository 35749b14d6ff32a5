import type { Orphan, OrphanPlan } from "../../maintenance/clean-orphans/plan.ts";
import { deletedOrphans, orphansCall } from "../../maintenance/spark/orphans.ts";
import type { SparkEngine } from "../spark-engine.ts";

/**
 * Has Spark delete the orphans of some tables, in one application.
 *
 * @param report told per table what Spark has deleted @throws FrazilError what Spark failed with at the first table that failed.
 */
export async function cleanBySpark(
  spark: SparkEngine,
  plans: readonly OrphanPlan[],
  report: (plan: OrphanPlan, deleted: readonly Orphan[], ms: number) => Promise<void>,
): Promise<void> {
  const calls = plans.map((plan) => orphansCall(spark.catalog, plan));
  await spark.run("frazil clean-orphans", calls, async (_applicationId, results) => {
    for (const [place, plan] of plans.entries()) {
      const result = results[place];
      if (result === undefined || result.error !== undefined) continue;
      await report(plan, deletedOrphans(plan, result), result.ms);
    }
  });
}
