import { type CommitOutcome, identText, type LoadedTable, type StatisticsFile } from "../../table-format/index.ts";
import { FrazilError } from "../core/errors.ts";
import { gaveUp, sameTable } from "./commit-errors.ts";
import { inTurn } from "./commit-queue.ts";
import type { MaintenanceContext } from "./maintenance-commit.ts";
import { growingPauses, isOutage } from "./pauses.ts";

const GIVE_UP_AFTER_MS = 120_000;

/**
 * Makes a Puffin file the statistics of its snapshot. Nothing else of the table changes, so nothing but its uuid is asserted; sent twice
 * it is the same. When an answer is lost, the metadata tells whether it names the file.
 *
 * @throws FrazilError `conflict` when the snapshot is gone or others commit all the time, `unavailable`, `data` when the table was replaced.
 */
export async function commitStatistics(
  context: MaintenanceContext,
  planned: LoadedTable,
  statistics: StatisticsFile,
): Promise<void> {
  const pauses = growingPauses(context.runtime, GIVE_UP_AFTER_MS, context.giveUp);
  for (;;) {
    const outcome = await inTurn(context.queue, [planned], () => attemptOnce(context, planned, statistics));
    if (outcome.outcome === "committed") return;
    await pauses.next(() =>
      gaveUp(planned.ident, outcome, {
        conflict: "other writers commit to this table all the time; run it again",
        unknown: "run it again when the catalog and the store answer",
      }),
    );
  }
}

async function attemptOnce(
  { catalog, runtime }: MaintenanceContext,
  planned: LoadedTable,
  statistics: StatisticsFile,
): Promise<CommitOutcome> {
  try {
    const base = sameTable(await catalog.loadTable(planned.ident), planned);
    if (!base.metadata.snapshots.some(({ snapshotId }) => snapshotId === statistics.snapshotId)) {
      const name = identText(planned.ident);
      const message = `table ${name}: snapshot ${statistics.snapshotId} has been expired meanwhile`;
      throw new FrazilError("conflict", "SNAPSHOT_GONE", message, { hint: "run it again" });
    }
    runtime.step("statistics.sent");
    const outcome = await catalog.commit([
      {
        ident: base.ident,
        requirements: [{ type: "assert-table-uuid", uuid: base.metadata.tableUuid }],
        updates: [{ action: "set-statistics", statistics }],
      },
    ]);
    runtime.step("statistics.answered");
    return outcome;
  } catch (error) {
    if (!isOutage(error)) throw error;
    return { outcome: "unknown", cause: error };
  }
}
