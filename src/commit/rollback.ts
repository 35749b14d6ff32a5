import {
  ancestors,
  createManifestCache,
  currentSchema,
  currentSnapshot,
  identText,
  isAncestor,
  type LoadedTable,
  produceSnapshot,
  type Snapshot,
  type SnapshotRef,
  type TableChange,
  type TableMetadata,
} from "../../table-format/index.ts";
import { FrazilError, must } from "../core/errors.ts";
import { randomSnapshotId } from "../core/runtime.ts";
import { latestIds } from "../core/stream-id.ts";
import { movesRows } from "../core/table-history.ts";
import { checkNumbered, gaveUp, sameTable } from "./commit-errors.ts";
import type { CommitContext } from "./context.ts";
import { takeover } from "./create-table.ts";
import { forgetting, LedgerStore } from "./ledger.ts";
import { fileNames, tagName } from "./names.ts";
import { growingPauses } from "./pauses.ts";
import { putBackBehindLedger, withoutPutBack } from "./put-back.ts";
import { pipelinesOf, readPipeline } from "./read-pipeline.ts";
import { newestStamp, type PlannedRollback, positionAfter, type RollbackPlan } from "./rollback-plan.ts";
import { beyond } from "./ref-commit.ts";
import { refUpdates } from "./snapshot-change.ts";
import { readStamp, type Stamp, stampSummary } from "./stamp.ts";
import { fencedError, readPipelineTag } from "./tracked-table.ts";
import { holds, wholeLook } from "./whole-look.ts";

/** What a rollback needs: the commit protocol's context without a source, whose points it never compares. */
export type RollbackContext = Omit<CommitContext, "pipeline" | "comparePoints" | "manifests">;

export interface RolledBack {
  /** `namespace.table`. */
  readonly table: string;
  /** The new snapshot, which holds what the target holds. */
  readonly snapshotId: bigint;
}

const GIVE_UP_AFTER_MS = 120_000;

/** Never seen in a table: it comes and goes within a commit. */
const PRESENCE_TAG = "frazil.rollback-target";

/** The summary entry that names the snapshot whose rows came back. */
export const ROLLBACK_TO = "ingest.rollback-to";

/** The summary entry of a snapshot whose position somebody has set: it may lie before that of its parent. */
export const POSITION_SET = "ingest.position-set";

/**
 * Rolls tables back. Each gets a *new* snapshot whose parent, files and rows are the target's, stamped with a new epoch, and `main` and
 * the pipeline's tag move to it in one commit: a tag that went back to an old snapshot would let a late request of an older process
 * pass (the epoch fences it). The snapshots that are rolled back are no ancestors of the new one, so that no expiry takes files away as
 * deleted which are live again; they stay in the table until they expire, and one can go back to them the same way.
 *
 * Where tables are committed one by one, the ledger is taken over first and forgets the tables that go back: its position would win
 * over theirs.
 *
 * @throws FrazilError `fenced` when a process of the job started meanwhile, `conflict`, `unavailable`. After any of them the tables may
 * be partly rolled back, each with its own position: doing it again is safe. Code `TABLES_OPENED` when the job has opened a table since
 * the plan was made.
 */
export async function rollBack(context: RollbackContext, plan: RollbackPlan): Promise<readonly RolledBack[]> {
  const loaded = [...plan.tables.map((table) => table.loaded), ...plan.others];
  const epoch = plan.pipeline === null ? null : await nextEpoch(context, plan.pipeline, loaded);
  const checkpoint = plan.pipeline === null ? 0n : highest(loaded, plan.pipeline, "checkpoint") + 1n;
  if (plan.pipeline !== null && epoch !== null && !context.catalog.atomicAcrossTables) {
    await takeLedger(context, plan.pipeline, epoch, plan);
  }
  const parts: Part[] = [
    ...plan.tables.map((rollback) => ({ rollback, loaded: rollback.loaded })),
    ...plan.others.map((other) => ({ rollback: null, loaded: other })),
  ].map((part) => ({ ...part, snapshotId: randomSnapshotId(context.runtime.random) }));
  const own = { plan, epoch: epoch ?? 0n, checkpoint };
  if (context.catalog.atomicAcrossTables) await commitParts(context, own, parts);
  else for (const part of parts) await commitParts(context, own, [part]);
  return parts
    .filter(({ rollback }) => rollback !== null)
    .map(({ loaded: { ident }, snapshotId }) => ({ table: identText(ident), snapshotId }));
}

/** A table's part: rolled back, or only put under the new epoch. */
interface Part {
  readonly rollback: PlannedRollback | null;
  readonly loaded: LoadedTable;
  /** Kept over all attempts: the answer to a lost response. */
  readonly snapshotId: bigint;
}

interface Own {
  readonly plan: RollbackPlan;
  readonly epoch: bigint;
  readonly checkpoint: bigint;
}

/** One above the highest epoch that was ever used, also by snapshots that are rolled back and by the ledger. */
async function nextEpoch(context: RollbackContext, pipeline: string, tables: readonly LoadedTable[]): Promise<bigint> {
  const used = highest(tables, pipeline, "epoch");
  if (context.catalog.atomicAcrossTables) return used + 1n;
  const ledger = await new LedgerStore(context.io, context.warehouseLocation, pipeline).read();
  const noted = ledger?.ledger.epoch ?? 0n;
  return (noted > used ? noted : used) + 1n;
}

function highest(tables: readonly LoadedTable[], pipeline: string, what: "epoch" | "checkpoint"): bigint {
  let max = 0n;
  for (const { metadata } of tables) {
    for (const snapshot of metadata.snapshots) {
      const stamp = readStamp(snapshot);
      if (stamp?.pipeline === pipeline && stamp[what] > max) max = stamp[what];
    }
  }
  return max;
}

async function takeLedger(
  context: RollbackContext,
  pipeline: string,
  epoch: bigint,
  plan: RollbackPlan,
): Promise<void> {
  const { keepPosition, tables } = plan;
  const store = new LedgerStore(context.io, context.warehouseLocation, pipeline);
  for (;;) {
    const current = await store.read();
    if (current === null) {
      throw new FrazilError("data", "LEDGER_LOST", `the ledger of the job ${pipeline} is gone`, {
        hint: "restore it; without it positions of tables without changes are not known",
      });
    }
    if (current.ledger.epoch >= epoch) throw fencedError(pipeline, epoch, "the ledger", current.ledger.epoch);
    // Behind the look at the ledger: a table that is opened later has to be noted there, and then the swap fails.
    await checkSeen(context, plan);
    // With a position that stays, too, a table goes on from its own where it was put back by hand: its new stamp would hide that.
    const rest = keepPosition
      ? withoutPutBack(current.ledger, putBackBehindLedger(current.ledger, tables, pipeline))
      : forgetting(current.ledger, new Set(tables.map(({ loaded }) => identText(loaded.ident))));
    if ((await store.swap({ ...rest, epoch }, current.etag)) !== null) return;
  }
}

/**
 * A table that was opened since the plan was made, and perhaps has got rows, would stay where it is while the others go back: the tables would
 * never have been what they are then.
 * @throws FrazilError `conflict`, code `TABLES_OPENED`.
 */
async function checkSeen(context: RollbackContext, { pipeline, seen, tables }: RollbackPlan): Promise<void> {
  if (pipeline === null) return;
  const found = await readPipeline({ ...context, pipeline });
  const opened = found.tables.filter(({ name }) => !seen.has(name)).map(({ name }) => name);
  if (opened.length > 0) throw openedSince(pipeline, opened, tables);
}

function openedSince(pipeline: string, opened: readonly string[], tables: RollbackPlan["tables"]): FrazilError {
  const planned = tables.map(({ loaded }) => identText(loaded.ident)).join(", ");
  const message = `the job ${pipeline} has opened ${opened.join(", ")} since this was planned for ${planned}`;
  return new FrazilError("conflict", "TABLES_OPENED", message, { hint: "do it again: the new plan counts them in" });
}

/** Commits in one attempt after another until it is done; see `commitGroup` for what the answers mean. */
async function commitParts(context: RollbackContext, own: Own, parts: readonly Part[]): Promise<void> {
  const { catalog, runtime } = context;
  const pauses = growingPauses(runtime, GIVE_UP_AFTER_MS);
  for (let attempt = 0; ; attempt++) {
    const hasLanded = (base: LoadedTable, index: number): boolean =>
      holds(base, must(parts[index], "one part a base").snapshotId);
    const bases = await wholeLook(
      () => Promise.all(parts.map(async ({ loaded }) => sameTable(await catalog.loadTable(loaded.ident), loaded))),
      hasLanded,
    );
    if (bases.every(hasLanded)) return;
    // Behind the look at the tables: rows of one that is opened later come with a commit that moves their tags.
    if (catalog.atomicAcrossTables) await checkSeen(context, own.plan);
    const now = { ...own, checkpoint: behindAll(own, bases) };
    const changes = await Promise.all(
      parts.map((part, index) => changeOf(context, now, part, must(bases[index], "one base a part"), attempt)),
    );
    runtime.step("rollback.sent");
    const outcome = await catalog.commit(changes);
    runtime.step("rollback.answered");
    if (outcome.outcome === "committed") return;
    await pauses.next(() =>
      gaveUp(must(parts[0], "a rollback has parts").loaded.ident, outcome, {
        conflict: "another writer commits to this table all the time; stop it, then roll back again",
        unknown: "frazil snapshots tells whether it took effect; doing it again is safe",
      }),
    );
  }
}

/** A running process may have committed more checkpoints since the plan was made, and numbers never go back. */
function behindAll({ plan: { pipeline }, checkpoint }: Own, bases: readonly LoadedTable[]): bigint {
  const next = pipeline === null ? 0n : highest(bases, pipeline, "checkpoint") + 1n;
  return next > checkpoint ? next : checkpoint;
}

async function changeOf(
  context: RollbackContext,
  own: Own,
  { rollback, snapshotId }: Part,
  base: LoadedTable,
  attempt: number,
): Promise<TableChange> {
  const { plan, epoch, checkpoint } = own;
  const { pipeline } = plan;
  const name = identText(base.ident);
  if (pipeline === null) {
    const [since] = pipelinesOf(base);
    if (since !== undefined) throw openedSince(since, [name], plan.tables);
    return restore(context, base, must(rollback, "a table to roll back"), null, snapshotId, attempt);
  }
  const newest = newestStamp(base, pipeline);
  if (newest !== null && newest.epoch >= epoch) throw fencedError(pipeline, epoch, `table ${name}`, newest.epoch);
  if (rollback === null) {
    const tag = must(readPipelineTag(base, pipeline), "a table of the pipeline has its tag");
    const full: CommitContext = { ...context, pipeline, manifests: createManifestCache(0), comparePoints: () => 0 };
    return takeover(full, base, { ...tag.stamp, epoch }, snapshotId, tag.snapshot.snapshotId, attempt);
  }
  const stamp: Stamp = {
    pipeline,
    epoch,
    checkpoint,
    // Asked of the base: with its position kept, a table may have gone on since the plan was made.
    position:
      plan.setTo?.(name, newest) ??
      must(positionAfter(plan, { ...rollback, loaded: base }), "a pipeline has a position"),
    validThroughMs: rollback.stamp?.validThroughMs ?? null,
    // The position says itself which of a stream's generations it counts in.
    streams: latestIds([newest?.streams, rollback.stamp?.streams]),
    // Work that was done stays done.
    totals: newest?.totals,
  };
  if (plan.setTo === undefined) return restore(context, base, rollback, stamp, snapshotId, attempt);
  const head = must(currentSnapshot(base.metadata), "a table of the pipeline holds a snapshot");
  return restore(context, base, { ...rollback, target: head }, stamp, snapshotId, attempt, POSITION_SET);
}

/** The swap to a new snapshot on the target, asserting everything that it moves. */
async function restore(
  context: RollbackContext,
  base: LoadedTable,
  { target }: PlannedRollback,
  stamp: Stamp | null,
  snapshotId: bigint,
  attempt: number,
  mark: typeof ROLLBACK_TO | typeof POSITION_SET = ROLLBACK_TO,
): Promise<TableChange> {
  const { metadata } = base;
  const snapshot = await snapshotOn(context, base, target, stamp, snapshotId, attempt, mark);
  const tag = stamp === null ? null : tagName(stamp.pipeline);
  const main = mainAfter(base, target, snapshotId);
  return {
    ident: base.ident,
    requirements: [
      { type: "assert-table-uuid", uuid: metadata.tableUuid },
      // With a branch in `main`'s stead, `main` has to be where it was looked at, also where it stays: what somebody publishes meanwhile
      // would be what the branch lacks from then on.
      ...(base.branch === undefined
        ? []
        : [
            {
              type: "assert-ref-snapshot-id" as const,
              ref: base.branch,
              snapshotId: metadata.refs.get(base.branch)?.snapshotId ?? null,
            },
          ]),
      { type: "assert-ref-snapshot-id", ref: "main", snapshotId: metadata.currentSnapshotId },
      ...(tag === null
        ? []
        : [
            {
              type: "assert-ref-snapshot-id" as const,
              ref: tag,
              snapshotId: metadata.refs.get(tag)?.snapshotId ?? null,
            },
          ]),
      { type: "assert-current-schema-id", currentSchemaId: metadata.currentSchemaId },
      { type: "assert-default-spec-id", defaultSpecId: metadata.defaultSpecId },
    ],
    updates: [
      // The target must still be there when this takes effect: no requirement can say so, and an expiry, which moves no ref, may have
      // deleted its manifests meanwhile. A ref to it that goes again at once can: catalogs refuse refs to snapshots that they do not hold.
      { action: "set-snapshot-ref", name: PRESENCE_TAG, ref: { type: "tag", snapshotId: target.snapshotId } },
      { action: "remove-snapshot-ref", name: PRESENCE_TAG },
      ...refUpdates(snapshot, tag, base),
      ...(main === null ? [] : [{ action: "set-snapshot-ref" as const, ...main }]),
    ],
  };
}

/**
 * Where the pipeline writes to a branch that stands in for `main`, `main` goes back as well, unless the target lies beyond it and is yet to be
 * published. Left where it is, it would hold what the branch lacks from then on. To a target on a line that had been rolled back itself it
 * goes only as far as both have the same history: what lies beyond may never have been published. Null: it stays.
 */
function mainAfter(
  { branch, metadata }: LoadedTable,
  target: Snapshot,
  snapshotId: bigint,
): { readonly name: string; readonly ref: SnapshotRef } | null {
  const main = branch === undefined ? undefined : metadata.refs.get(branch);
  if (branch === undefined || main === undefined) return null;
  if (isBehind(metadata, target, main.snapshotId)) return { name: branch, ref: { ...main, snapshotId } };
  const { lost, shared } = beyond(metadata, main.snapshotId, target.snapshotId);
  const head = metadata.currentSnapshotId;
  // What the branch has lacked already is nobody's to give up here.
  const isHeld = head !== null && isAncestor(metadata, main.snapshotId, head);
  if (shared === null || lost.every(movesRows) || !isHeld) return null;
  return { name: branch, ref: { ...main, snapshotId: shared.snapshotId } };
}

/**
 * Whether a snapshot lies on a line of history, or is older than all that is left of it: one that a tag holds, with a hole of expired
 * snapshots above it. What has not been published is kept as a whole, so that it is none of that.
 */
function isBehind(metadata: TableMetadata, { snapshotId, sequenceNumber }: Snapshot, head: bigint): boolean {
  if (isAncestor(metadata, snapshotId, head)) return true;
  const oldest = [...ancestors(metadata, head)].at(-1);
  return oldest !== undefined && oldest.parentSnapshotId !== null && sequenceNumber < oldest.sequenceNumber;
}

/** An empty snapshot on top of the target: manifests, sequence numbers and row ids stay what they are. */
async function snapshotOn(
  { io, runtime }: RollbackContext,
  base: LoadedTable,
  target: Snapshot,
  stamp: Stamp | null,
  snapshotId: bigint,
  attempt: number,
  mark: string,
): Promise<Snapshot> {
  checkNumbered(base);
  const { metadata } = base;
  const names = fileNames(
    {
      tableLocation: metadata.location,
      pipeline: stamp?.pipeline ?? "rollback",
      epoch: stamp?.epoch ?? 0n,
      checkpoint: stamp?.checkpoint ?? 0n,
    },
    runtime.random,
  );
  const nowMs = BigInt(runtime.clock.nowMs());
  const { snapshot } = await produceSnapshot(
    io,
    { ...metadata, currentSnapshotId: target.snapshotId },
    {
      snapshotId,
      timestampMs: nowMs > metadata.lastUpdatedMs ? nowMs : metadata.lastUpdatedMs + 1n,
      addedDataFiles: [],
      removedDataFiles: [],
      addedDeleteFiles: [],
      removedDeleteFiles: [],
      summary: new Map([...(stamp === null ? [] : stampSummary(stamp)), [mark, String(target.snapshotId)]]),
      schema: currentSchema(metadata),
      ref: "main",
    },
    {
      manifest: (index) => names.manifest(attempt, index),
      manifestList: () => names.manifestList(snapshotId, attempt),
    },
  );
  return snapshot;
}
