import { runCleaning } from "../clean-orphans/clean.ts";
import { planOrphans } from "../clean-orphans/plan.ts";
import { NO_EFFECT } from "../history/run-record.ts";
import { type DueRun, type MaintenancePlace, nothingDone, type RunEnd } from "./due-run.ts";

/** Deletes the files in a table's folder that nothing reaches. */
export async function runCleanOrphans(place: MaintenancePlace, run: DueRun<"clean_orphans">): Promise<RunEnd> {
  const { olderThanMs, foreign } = run.task;
  const plan = await planOrphans(place, run.table, { olderThanMs, foreign, locations: await place.locations() });
  if (plan.orphans.length === 0) return nothingDone("no orphan is old enough");
  await run.begin();
  const { deleted, kept, notDeleted } = await runCleaning(place, plan);
  const bytes = deleted.reduce((sum, { sizeBytes }) => sum + BigInt(sizeBytes), 0n);
  const why = [
    kept === 0 ? "" : `${kept} are needed again`,
    notDeleted.length === 0 ? "" : `${notDeleted.length} could not be deleted`,
  ].filter(Boolean);
  return {
    ...NO_EFFECT,
    filesBefore: deleted.length + notDeleted.length,
    filesAfter: notDeleted.length,
    bytesBefore: bytes,
    outcome: "done",
    reason: why.length === 0 ? null : why.join("; "),
  };
}
