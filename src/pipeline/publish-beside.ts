import { identText } from "../../table-format/index.ts";
import { wholeCatalog } from "../commit/branch-view.ts";
import { pipelineCut } from "../commit/publish-cut.ts";
import { FrazilError } from "../core/errors.ts";
import type { QueryWarehouse } from "../query/query-warehouse.ts";
import type { BesideIngestion } from "./job-run.ts";
import { publish } from "./publish.ts";

/** What a job does with its branch. */
export interface PublishPlan {
  readonly branch: string;
  readonly everyMs: number;
  readonly checks: readonly string[];
}

/**
 * Publishes what a job has committed to its branch, now and then and once more behind its last checkpoint, as long as the checks hold.
 * Never rejects, as ingestion is not to end for it: what fails is logged, `main` stays, and the next checkpoint is looked at in its turn.
 */
export async function publishBesideJob(
  { context, tables, stop, over }: Pick<BesideIngestion, "context" | "tables" | "stop" | "over">,
  warehouse: QueryWarehouse,
  plan: PublishPlan,
): Promise<void> {
  const { clock, log } = context.runtime;
  const catalog = wholeCatalog(context.catalog);
  // Of what does not hold and cannot be run nothing new is learned until the branch moves on.
  let refused = "";
  const once = async (): Promise<void> => {
    try {
      const cut = await pipelineCut({ ...context, catalog }, plan.branch, tables);
      const names = cut.map(({ table, snapshot }) => `${identText(table.ident)} ${snapshot.snapshotId}`).join(", ");
      if (cut.length === 0 || names === refused) return;
      refused = names;
      const place = { ...warehouse, ...context, catalog };
      const { failed } = await publish(place, plan.branch, cut, plan.checks);
      for (const { sql, found } of failed) {
        log.warn("a check does not hold; main stays as it is", { check: sql, found, branch: plan.branch });
      }
      if (failed.length === 0) log.info("published", { tables: names, branch: plan.branch });
    } catch (error) {
      // What is wrong with the checks or the branches stays so; all else may pass.
      const stays = error instanceof FrazilError && ["config", "data", "unsupported"].includes(error.kind);
      if (!stays) refused = "";
      log.warn("cannot publish; main stays as it is", { branch: plan.branch, cause: String(error) });
    }
  };
  while (!stop.aborted) {
    await clock.sleep(plan.everyMs, stop);
    if (!stop.aborted) await once();
  }
  // The last checkpoint is committed between the two.
  if (!over.aborted) {
    const ended = Promise.withResolvers<void>();
    over.addEventListener("abort", () => ended.resolve(), { once: true });
    await ended.promise;
  }
  await once();
}
