import {
  type CommitOutcome,
  identText,
  type LoadedTable,
  type TableChange,
  type TableUpdate,
} from "../../table-format/index.ts";
import { FrazilError, must } from "../core/errors.ts";
import { inTurn } from "./commit-queue.ts";
import type { CommitContext } from "./context.ts";
import type { FileNames } from "./names.ts";
import { growingPauses, isOutage } from "./pauses.ts";
import { type FileChanges, snapshotChange } from "./snapshot-change.ts";
import type { Stamp } from "./stamp.ts";
import { sumTotals, type Totals } from "./totals.ts";
import { checkStillOurs, fencedError, lastStamp, readPipelineTag, type TrackedTable } from "./tracked-table.ts";
import { holds, wholeLook } from "./whole-look.ts";

/** One table's part of a commit. */
export interface TableCommit {
  readonly table: TrackedTable;
  readonly snapshotId: bigint;
  readonly stamp: Stamp;
  readonly names: FileNames;
  /** What changes with the snapshot besides. */
  readonly updates?: readonly TableUpdate[];
  /**
   * The files to commit on `base`. Asked at every attempt: a base other than the last one (a foreign commit, a compaction) makes the
   * writer resolve its keys again.
   */
  filesFor(base: LoadedTable): Promise<FileChanges>;
}

/** How long a commit is tried against conflicts and lost answers before the process gives up and leaves all its files in place. */
const GIVE_UP_AFTER_MS = 600_000;

/**
 * Commits the tables together where the catalog can, and there must be just one of them where it cannot. Afterwards each table's `loaded`,
 * `tagSnapshotId` and `position` are the committed ones.
 *
 * A snapshot id is fixed before the first send. After a lost answer the table is loaded until it can be read: our id in it means committed;
 * its absence with the tag still ours means that sending again is safe, because the tag's assertion and the id let at most one request
 * take effect. The expected tag never becomes "whatever the tag is now": that would let a stale process inherit its successor's fence.
 *
 * @throws FrazilError `fenced`, `conflict` or `unavailable` (after ten minutes), `data` (rolled back, replaced). Nothing is ever deleted.
 */
export async function commitGroup(context: CommitContext, parts: readonly TableCommit[]): Promise<void> {
  const { runtime } = context;
  const pauses = growingPauses(runtime, GIVE_UP_AFTER_MS, context.giveUp);
  const tries = { commits: 1, conflicts: 0, retries: 0 };
  for (let attempt = 0; ; attempt++) {
    const tables = parts.map(({ table }) => table.loaded);
    const result = await inTurn(context.queue, tables, async () => {
      const bases = await wholeLook(
        () => Promise.all(parts.map((part) => loadForCommit(context, part.table))),
        (base, index) => holds(base, must(parts[index], "one part a base").snapshotId),
      );
      const landed = parts.filter((part, index) => holds(must(bases[index], "one base a part"), part.snapshotId));
      if (landed.length > 0) {
        settleLanded(context, parts, landed, bases);
        return null;
      }
      const outcome = await attemptOnce(context, parts, bases, attempt, tries);
      if (outcome.outcome !== "committed") return outcome;
      for (const [index, part] of parts.entries()) settle(part, must(outcome.tables[index], "one table a change"));
      return null;
    });
    if (result === null) {
      context.figures?.commit();
      return;
    }
    if (result.outcome === "conflict") {
      tries.conflicts++;
      context.figures?.conflict();
      await pauses.next(
        () =>
          new FrazilError("conflict", "COMMIT_CONFLICT", `table ${identText(result.table)}: ${result.message}`, {
            hint: "another writer commits to this table all the time; start the job again when it is done",
          }),
      );
    } else {
      tries.retries++;
      context.figures?.retry();
      runtime.log.warn("a commit got no answer; looking for its snapshot", { cause: String(result.cause) });
      await pauses.next(
        () =>
          new FrazilError(
            "unavailable",
            "COMMIT_UNKNOWN",
            `the outcome of a commit could not be learned: ${result.cause instanceof Error ? result.cause.message : String(result.cause)}`,
            {
              cause: result.cause,
              hint: "start the job again when the catalog answers: it resumes from what the table holds",
            },
          ),
      );
    }
  }
}

/** Writes the manifests of an attempt and sends it once. A store that cannot be written to counts as an answer that was lost. */
async function attemptOnce(
  context: CommitContext,
  parts: readonly TableCommit[],
  bases: readonly LoadedTable[],
  attempt: number,
  tries: Partial<Totals>,
): Promise<CommitOutcome> {
  const { catalog, runtime } = context;
  const changes: TableChange[] = [];
  try {
    for (const [index, part] of parts.entries()) {
      const base = must(bases[index], "one base a part");
      checkStillOurs(base, part.table, context.pipeline, part.stamp.epoch);
      const files = await part.filesFor(base);
      const totals = sumTotals([lastStamp(part.table)?.totals ?? {}, files.counts ?? {}, index === 0 ? tries : {}]);
      const change = await snapshotChange(context, {
        base,
        snapshotId: part.snapshotId,
        stamp: { ...part.stamp, totals },
        tagSnapshotId: part.table.tagSnapshotId,
        files,
        names: part.names,
        attempt,
        nowMs: runtime.clock.nowMs(),
      });
      changes.push({ ...change, updates: [...change.updates, ...(part.updates ?? [])] });
    }
    runtime.step("commit.sent");
    // The commit point: from here on the checkpoint may be in the table.
    const outcome = await catalog.commit(changes);
    runtime.step("commit.answered");
    return outcome;
  } catch (error) {
    if (!isOutage(error)) throw error;
    return { outcome: "unknown", cause: error };
  }
}

/** Loads a table for a commit; while the catalog cannot be reached the caller's retry decides. */
async function loadForCommit(context: CommitContext, table: TrackedTable): Promise<LoadedTable> {
  const pauses = growingPauses(context.runtime, GIVE_UP_AFTER_MS, context.giveUp);
  for (;;) {
    try {
      const loaded = await context.catalog.loadTable(table.loaded.ident);
      if (loaded !== null) return loaded;
    } catch (error) {
      if (!(error instanceof FrazilError && error.kind === "unavailable")) throw error;
      context.figures?.retry();
      context.runtime.log.warn("the catalog cannot be read; trying again", { table: table.name, cause: error.message });
      await pauses.next(() => error);
      continue;
    }
    throw new FrazilError("data", "TABLE_DROPPED", `table ${table.name} no longer exists`, {
      hint: "restore the table, or start the job under another name to load it anew",
    });
  }
}

/** An earlier request of ours has taken effect. It stands even if a newer process has taken over since; then this one must stop. */
function settleLanded(
  context: CommitContext,
  parts: readonly TableCommit[],
  landed: readonly TableCommit[],
  bases: readonly LoadedTable[],
): void {
  if (landed.length !== parts.length) {
    const missing = parts.filter((part) => !landed.includes(part)).map((part) => part.table.name);
    throw new FrazilError(
      "internal",
      "COMMIT_TORN",
      `the catalog ${context.catalog.name} applied only a part of a commit over several tables; ${missing.join(", ")} lack their snapshot`,
      { hint: "this catalog does not commit several tables atomically; report it" },
    );
  }
  for (const [index, part] of parts.entries()) {
    const base = must(bases[index], "one base a part");
    const tag = readPipelineTag(base, context.pipeline);
    if (tag !== null && tag.snapshot.snapshotId !== part.snapshotId) {
      throw fencedError(context.pipeline, part.stamp.epoch, `table ${part.table.name}`, tag.stamp.epoch);
    }
    settle(part, base);
  }
}

function settle(part: TableCommit, loaded: LoadedTable): void {
  part.table.loaded = loaded;
  part.table.tagSnapshotId = part.snapshotId;
  part.table.position = part.stamp.position;
}
