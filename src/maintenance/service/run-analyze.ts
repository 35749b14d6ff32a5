import { tableStatistics } from "../../../table-format/index.ts";
import { NO_EFFECT } from "../history/run-record.ts";
import { planStatistics, runStatistics } from "../statistics/statistics.ts";
import { type DueRun, type MaintenancePlace, nothingDone, type RunEnd } from "./due-run.ts";

/** Counts the distinct values of a table's columns, unless its present snapshot has statistics. */
export async function runAnalyze(place: MaintenancePlace, run: DueRun<"analyze">): Promise<RunEnd> {
  const plan = await planStatistics(place, run.table, null);
  if (plan === null) return nothingDone("the table has no snapshot yet");
  const { snapshotId } = plan.snapshot;
  if (tableStatistics(run.table.metadata).some((each) => each.snapshotId === snapshotId)) {
    return nothingDone("the present snapshot has statistics");
  }
  await run.begin();
  const { rows, distinct } = await runStatistics(place, plan);
  return { ...NO_EFFECT, snapshotId, outcome: "done", reason: `${distinct.size} columns of ${rows} rows` };
}
