import { currentSchema } from "../../../table-format/index.ts";
import { type Arrangement, sortArrangement, zOrderArrangement } from "../compact/arrangement.ts";
import { type MovedInOrder, runCompaction } from "../compact/compact.ts";
import { whereScope } from "../compact/file-scope.ts";
import { planCompaction } from "../compact/plan.ts";
import { NO_EFFECT, type RunEffect } from "../history/run-record.ts";
import { type DueRun, type MaintenancePlace, nothingDone, type RunEnd } from "./due-run.ts";

/** Compacts a table, commit by commit; told to stop, it ends after the present one. */
export async function runCompact(place: MaintenancePlace, run: DueRun<"compact">): Promise<RunEnd> {
  const { table, task } = run;
  const { targetSizeBytes, minFiles, deleteRatio, pace, where } = task;
  const plan = await planCompaction(place, table, {
    targetSizeBytes,
    minFiles,
    deleteRatio,
    memoryBytes: place.memoryBytes,
    arrangement: arrangementOf(run),
    recurring: true,
    scope: where === null ? undefined : whereScope(table.metadata, where, place.runtime.clock.nowMs()),
  });
  if (plan.groups.length === 0) return nothingDone("no file is worth a rewrite");
  await run.begin();
  let effect: RunEffect = NO_EFFECT;
  let commits = 0;
  const moved = (rows: MovedInOrder): void => place.moved?.(table.ident, rows);
  for await (const done of runCompaction(place, plan, { pace, signal: place.giveUp, moved })) {
    if (done.snapshotId === null) continue;
    commits++;
    effect = {
      filesBefore: effect.filesBefore + done.filesBefore,
      filesAfter: effect.filesAfter + done.filesAfter,
      bytesBefore: effect.bytesBefore + done.bytesBefore,
      bytesAfter: effect.bytesAfter + done.bytesAfter,
      snapshotId: done.snapshotId,
    };
    if (place.stop.aborted && commits < plan.groups.length) {
      return { ...effect, outcome: "done", reason: `stopped after ${commits} of ${plan.groups.length} commits` };
    }
  }
  if (commits === 0) return { ...effect, outcome: "nothing", reason: "other commits left nothing to do" };
  return { ...effect, outcome: "done", reason: null };
}

function arrangementOf({ table: { metadata }, task: { arrange } }: DueRun<"compact">): Arrangement | undefined {
  if (arrange === null) return undefined;
  const schema = currentSchema(metadata);
  return "zOrder" in arrange
    ? zOrderArrangement(schema, arrange.zOrder)
    : sortArrangement(metadata, schema, arrange.sortBy);
}
