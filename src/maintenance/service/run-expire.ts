import { planExpiry, runExpiry } from "../expire/expire.ts";
import { retentionPolicy } from "../expire/retention.ts";
import { NO_EFFECT } from "../history/run-record.ts";
import { type DueRun, type MaintenancePlace, nothingDone, type RunEnd } from "./due-run.ts";

/** Expires snapshots of a table by the task's policy, and by the table's own where that says nothing. */
export async function runExpire(place: MaintenancePlace, run: DueRun<"expire">): Promise<RunEnd> {
  const { table, task } = run;
  const plan = await planExpiry(place, table, retentionPolicy(table.metadata, task));
  if (plan.expired.snapshotIds.length === 0 && plan.expired.refs.length === 0) {
    return nothingDone("no snapshot is old enough, and there are not too many");
  }
  await run.begin();
  const done = await runExpiry(place, plan);
  if (done === null) return nothingDone("somebody else expired them meanwhile");
  const { dataFiles, deleteFiles, manifests, manifestLists, statistics, bytes } = done.files;
  const files = [dataFiles, deleteFiles, manifests, manifestLists, statistics].reduce(
    (sum, { length }) => sum + length,
    0,
  );
  const { policy, expired } = plan;
  const tooMany = expired.reasons.number === 0 ? "" : `; there were more than ${policy.maxSnapshots}`;
  const left = done.notDeleted.length === 0 ? "" : `; ${done.notDeleted.length} files could not be deleted`;
  return {
    ...NO_EFFECT,
    filesBefore: files,
    filesAfter: done.notDeleted.length,
    bytesBefore: bytes,
    outcome: "done",
    reason: `${done.snapshots} snapshots and ${done.refs} refs went, ${done.snapshotsLeft} snapshots are left${tooMany}${left}`,
  };
}
