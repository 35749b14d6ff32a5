import { ancestors, type Snapshot } from "../../../table-format/index.ts";
import { setTag } from "../../commit/tag-snapshot.ts";
import { pointText } from "../../core/schedule.ts";
import { NO_EFFECT } from "../history/run-record.ts";
import { type DueRun, type MaintenancePlace, nothingDone, type RunEnd } from "./due-run.ts";

/**
 * Names the table as it was at the point of the schedule, whenever the run comes: the newest snapshot of `main` that was made at or before it.
 * The name stays for the task's time after the point, also when the snapshot was old by then.
 */
export async function runTag(place: MaintenancePlace, run: DueRun<"tag">): Promise<RunEnd> {
  const { table, task, pointMs } = run;
  const name = `${task.name}-${pointText(task.schedule, pointMs)}`;
  if (table.metadata.refs.has(name)) return nothingDone(`the tag ${name} is there already`);
  const keptMs = BigInt(task.keepMs);
  const nowMs = BigInt(place.runtime.clock.nowMs());
  if (nowMs - BigInt(pointMs) > keptMs) return nothingDone(`a tag ${name} would have gone by now`);
  const snapshot = snapshotAt(table.metadata, BigInt(pointMs));
  if (snapshot === null) return nothingDone(`the table has no snapshot from before ${new Date(pointMs).toISOString()}`);
  await run.begin();
  await setTag(place, table, name, snapshot.snapshotId, keptMs + BigInt(pointMs) - snapshot.timestampMs);
  return { ...NO_EFFECT, snapshotId: snapshot.snapshotId, outcome: "done", reason: name };
}

function snapshotAt(metadata: DueRun["table"]["metadata"], timeMs: bigint): Snapshot | null {
  if (metadata.currentSnapshotId === null) return null;
  for (const snapshot of ancestors(metadata, metadata.currentSnapshotId)) {
    if (snapshot.timestampMs <= timeMs) return snapshot;
  }
  return null;
}
