import {
  type CommitOutcome,
  identText,
  type LoadedTable,
  type StatisticsFile,
  type TableUpdate,
} from "../../table-format/index.ts";
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
  const updates: TableUpdate[] = [{ action: "set-statistics", statistics }];
  await send(context, planned, (base) => {
    checkHeld(base, statistics.snapshotId);
    return updates;
  });
}

/**
 * Drops statistics from the metadata. Nothing else of the table changes; sent twice it is the same.
 *
 * @throws FrazilError as `commitStatistics`
 */
export async function forgetStatistics(
  context: MaintenanceContext,
  planned: LoadedTable,
  files: readonly { readonly of: "statistics" | "partition-statistics"; readonly snapshotId: bigint }[],
): Promise<void> {
  const updates = files.map(({ of, snapshotId }): TableUpdate => ({ action: `remove-${of}`, snapshotId }));
  await send(context, planned, () => updates);
}

async function send(
  context: MaintenanceContext,
  planned: LoadedTable,
  updatesOn: (base: LoadedTable) => readonly TableUpdate[],
): Promise<void> {
  const pauses = growingPauses(context.runtime, GIVE_UP_AFTER_MS, context.giveUp);
  for (;;) {
    const outcome = await inTurn(context.queue, [planned], () => attemptOnce(context, planned, updatesOn));
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
  updatesOn: (base: LoadedTable) => readonly TableUpdate[],
): Promise<CommitOutcome> {
  try {
    const base = sameTable(await catalog.loadTable(planned.ident), planned);
    const updates = updatesOn(base);
    runtime.step("statistics.sent");
    const outcome = await catalog.commit([
      {
        ident: base.ident,
        requirements: [{ type: "assert-table-uuid", uuid: base.metadata.tableUuid }],
        updates,
      },
    ]);
    runtime.step("statistics.answered");
    return outcome;
  } catch (error) {
    if (!isOutage(error)) throw error;
    return { outcome: "unknown", cause: error };
  }
}

function checkHeld({ ident, metadata }: LoadedTable, snapshotId: bigint): void {
  if (metadata.snapshots.some((snapshot) => snapshot.snapshotId === snapshotId)) return;
  const message = `table ${identText(ident)}: snapshot ${snapshotId} has been expired meanwhile`;
  throw new FrazilError("conflict", "SNAPSHOT_GONE", message, { hint: "run it again" });
}
