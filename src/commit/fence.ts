import { identText, type LoadedTable } from "../../table-format/index.ts";
import { FrazilError, must } from "../core/errors.ts";
import { randomSnapshotId } from "../core/runtime.ts";
import type { CommitContext } from "./context.ts";
import { takeover } from "./create-table.ts";
import { growingPauses } from "./pauses.ts";
import { readStamp, type Stamp } from "./stamp.ts";
import { fencedError, type PipelineTag, readPipelineTag, type TrackedTable } from "./tracked-table.ts";
import { holds, wholeLook } from "./whole-look.ts";

const GIVE_UP_AFTER_MS = 300_000;

export interface OwnedTable {
  readonly loaded: LoadedTable;
  readonly tag: PipelineTag;
}

/**
 * Puts tables under an epoch with empty snapshots that move the pipeline's tag, all in one commit (one table where the catalog commits
 * one at a time). From the moment this succeeds, every commit that an older process builds fails at the catalog. Each keeps its own position.
 *
 * @param epochFor the epoch to take, from the highest found on the tables. The anchor takes the next one; others take the anchor's and are
 *   refused when they already have it.
 * @throws FrazilError `fenced` when `epochFor` finds a table under an epoch that is not below the one to take.
 */
export async function fenceTables(
  context: CommitContext,
  idents: readonly LoadedTable["ident"][],
  epochFor: (highest: bigint) => bigint,
): Promise<{ tables: TrackedTable[]; epoch: bigint; checkpoint: bigint }> {
  const { catalog, runtime } = context;
  const pauses = growingPauses(runtime, GIVE_UP_AFTER_MS, context.giveUp);
  const ids = idents.map(() => randomSnapshotId(runtime.random));
  for (let attempt = 0; ; attempt++) {
    const owned = await wholeLook(
      () => Promise.all(idents.map((ident) => loadOwned(context, ident))),
      ({ loaded }, index) => holds(loaded, must(ids[index], "one id a table")),
    );
    const checkpoint = owned.reduce((max, { tag }) => (tag.stamp.checkpoint > max ? tag.stamp.checkpoint : max), 0n);
    const highest = owned.reduce((max, { tag }) => (tag.stamp.epoch > max ? tag.stamp.epoch : max), 0n);
    if (owned.every(({ tag }, index) => tag.snapshot.snapshotId === ids[index])) {
      const tables = owned.map(({ loaded, tag }) => track(loaded, tag.snapshot.snapshotId, tag.stamp));
      return { tables, epoch: highest, checkpoint };
    }
    for (const [index, { loaded, tag }] of owned.entries()) {
      // Our request took effect, and somebody has taken over since: a second one under the same id could not.
      const landed = loaded.metadata.snapshots.find((snapshot) => snapshot.snapshotId === ids[index]);
      if (landed === undefined) continue;
      const { epoch } = must(readStamp(landed), "our snapshots are stamped");
      throw fencedError(context.pipeline, epoch, `table ${identText(loaded.ident)}`, tag.stamp.epoch);
    }
    const epoch = epochFor(highest);
    const stamps = owned.map(({ tag }): Stamp => ({ ...tag.stamp, epoch }));
    const changes = await Promise.all(
      owned.map(({ loaded, tag }, index) =>
        takeover(
          context,
          loaded,
          must(stamps[index], "one stamp a table"),
          must(ids[index], "one id a table"),
          tag.snapshot.snapshotId,
          attempt,
        ),
      ),
    );
    runtime.step("fence.sent");
    const result = await catalog.commit(changes);
    runtime.step("fence.answered");
    if (result.outcome === "committed") {
      const tables = result.tables.map((loaded, index) =>
        track(loaded, must(ids[index], "one id a table"), must(stamps[index], "one stamp a table")),
      );
      return { tables, epoch, checkpoint };
    }
    await pauses.next(
      () =>
        new FrazilError(
          result.outcome === "conflict" ? "conflict" : "unavailable",
          "FENCE_FAILED",
          `the job ${context.pipeline} could not take over its tables: ${result.outcome === "conflict" ? result.message : String(result.cause)}`,
          { hint: "start the job again" },
        ),
    );
  }
}

/** The epoch after the highest one: what a starting process takes on the anchor table. */
export function nextEpoch(highest: bigint): bigint {
  return highest + 1n;
}

/** The anchor's epoch for another table: one that has it already belongs to a process that started later. */
export function exactEpoch(context: CommitContext, epoch: bigint, where: string): (highest: bigint) => bigint {
  return (highest) => {
    if (highest >= epoch) throw fencedError(context.pipeline, epoch, where, highest);
    return epoch;
  };
}

async function loadOwned(context: CommitContext, ident: LoadedTable["ident"]): Promise<OwnedTable> {
  const loaded = await context.catalog.loadTable(ident);
  const tag = loaded === null ? null : readPipelineTag(loaded, context.pipeline);
  if (loaded === null || tag === null) {
    throw new FrazilError(
      "data",
      "TABLE_DROPPED",
      `table ${identText(ident)}, which the job ${context.pipeline} wrote to, no longer exists or was replaced`,
      { hint: "restore the table, or start the job under another name to load everything anew" },
    );
  }
  return { loaded, tag };
}

function track(loaded: LoadedTable, tagSnapshotId: bigint, stamp: Stamp): TrackedTable {
  return { name: identText(loaded.ident), loaded, tagSnapshotId, position: stamp.position };
}
