import { runCompaction } from "../../src/maintenance/compact/compact.ts";
import { planCompaction } from "../../src/maintenance/compact/plan.ts";
import type { Process, Warehouse } from "./checkpoints.ts";
import { loaded, place } from "./maintenance.ts";

/** Compacts all files of table `a`, as a process of its own. @returns how many commits that took. */
export async function compactNow(warehouse: Warehouse, process: Process): Promise<number> {
  const run = await compactLater(warehouse, process);
  return run();
}

/** Plans to compact all files of table `a`; the rewrite and its commits are done when the answer is called. */
export async function compactLater(warehouse: Warehouse, process: Process): Promise<() => Promise<number>> {
  const context = place(warehouse, process);
  const plan = await planCompaction(context, await loaded(warehouse), { targetSizeBytes: 1 << 20, minFiles: 2 });
  return async () => {
    let commits = 0;
    for await (const { snapshotId } of runCompaction(context, plan)) commits += Number(snapshotId !== null);
    return commits;
  };
}
