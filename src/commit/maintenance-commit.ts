import {
  type CommitOutcome,
  currentSchema,
  identText,
  type LoadedTable,
  produceSnapshot,
  type Snapshot,
  type TableChange,
  type TableRequirement,
} from "../../table-format/index.ts";
import { FrazilError } from "../core/errors.ts";
import { MAINTENANCE_COMMIT_MS } from "../core/limits.ts";
import { randomSnapshotId } from "../core/runtime.ts";
import { inTurn } from "./commit-queue.ts";
import { gaveUp, sameTable } from "./commit-errors.ts";
import type { CommitContext } from "./context.ts";
import { type FileNames, pipelineOfTag } from "./names.ts";
import { growingPauses, isOutage } from "./pauses.ts";
import { type FileChanges, refUpdates } from "./snapshot-change.ts";
import { readStamp } from "./stamp.ts";

export type MaintenanceContext = Pick<CommitContext, "catalog" | "io" | "manifests" | "runtime" | "queue" | "giveUp">;

const GIVE_UP_AFTER_MS = 120_000;

/**
 * Commits a `replace` snapshot: the same rows in other files. `main` and every pipeline's tag are asserted as they are in the base that
 * the files were made for, and each tag must be under the epoch that it had in `planned`: a compactor that a newer epoch has overtaken
 * must not put files into the table which that epoch may already have taken for garbage. The tags do not move.
 *
 * @returns the snapshot's id, or null. @throws FrazilError `conflict`, `fenced`, `unavailable`. No file is ever deleted.
 */
export async function commitReplace(
  context: MaintenanceContext,
  planned: LoadedTable,
  names: FileNames,
  { sinceMs, filesFor, committed }: Replacement,
): Promise<bigint | null> {
  const produce: Produce = async (base, { snapshotId, timestampMs, attempt }) => {
    const { metadata } = base;
    const files = await filesFor(base);
    if (files === null) return null;
    const { snapshot } = await produceSnapshot(
      context.io,
      metadata,
      {
        snapshotId,
        timestampMs,
        operation: "replace",
        ...files,
        summary: new Map(),
        schema: currentSchema(metadata),
        ref: "main",
      },
      {
        manifest: (index) => names.manifest(attempt, index),
        manifestList: () => names.manifestList(snapshotId, attempt),
      },
      context.manifests,
    );
    return snapshot;
  };
  return commitSnapshot(context, planned, { sinceMs, produce, committed });
}

interface MaintenanceWork {
  /** When the first file for it was written, milliseconds since 1970 UTC. */
  readonly sinceMs: number;
  /** Told that the commit is known to have happened, before anybody else of this process has a turn at the table. */
  readonly committed?: (() => void) | undefined;
}

export interface Replacement extends MaintenanceWork {
  /** The files on a base, asked at every attempt; null: nothing is left to do. */
  readonly filesFor: (base: LoadedTable) => Promise<FileChanges | null>;
}

export interface SnapshotWork extends MaintenanceWork {
  /** Writes the manifests on a base, asked at every attempt; null: nothing is left to do. */
  readonly produce: Produce;
}

type Produce = (base: LoadedTable, given: MaintenanceAttempt) => Promise<Snapshot | null>;

/** What is given to the snapshot of one attempt. */
interface MaintenanceAttempt {
  /** The same at every attempt: the answer to a lost response. */
  readonly snapshotId: bigint;
  readonly timestampMs: bigint;
  readonly attempt: number;
}

/**
 * Commits a snapshot that leaves the rows as they are, asserting what `commitReplace` does.
 *
 * @returns the snapshot's id, or null. @throws as `commitReplace`
 */
export async function commitSnapshot(
  context: MaintenanceContext,
  planned: LoadedTable,
  work: SnapshotWork,
): Promise<bigint | null> {
  const { runtime } = context;
  const name = identText(planned.ident);
  const replace: Replace = { ...work, planned, snapshotId: randomSnapshotId(runtime.random) };
  const pauses = growingPauses(runtime, GIVE_UP_AFTER_MS, context.giveUp);
  for (let attempt = 0; ; attempt++) {
    const outcome = await inTurn(context.queue, [planned], async () => {
      const ended = await attemptOnce(context, replace, attempt);
      if (ended.outcome === "committed") work.committed?.();
      return ended;
    });
    if (outcome.outcome === "committed") return replace.snapshotId;
    if (outcome.outcome === "nothing") return null;
    if (outcome.outcome === "unknown") {
      runtime.log.warn("a maintenance commit got no answer; looking for its snapshot", {
        table: name,
        cause: String(outcome.cause),
      });
    }
    await pauses.next(() =>
      gaveUp(planned.ident, outcome, {
        conflict: "other writers commit to this table all the time; run it again",
        unknown: "run it again when the catalog and the store answer: what is committed stays",
      }),
    );
  }
}

interface Replace extends SnapshotWork {
  readonly planned: LoadedTable;
  readonly snapshotId: bigint;
}

/** Loads the table, writes the manifests and sends the commit once. A catalog or store that is gone counts as an answer that was lost. */
async function attemptOnce(
  context: MaintenanceContext,
  { planned, sinceMs, produce, snapshotId }: Replace,
  attempt: number,
): Promise<
  Exclude<CommitOutcome, { outcome: "committed" }> | { readonly outcome: "committed" } | { readonly outcome: "nothing" }
> {
  const { catalog, runtime } = context;
  try {
    const base = sameTable(await catalog.loadTable(planned.ident), planned);
    // After a lost answer our id tells that the request took effect; sending it again is safe, as at most one can.
    if (base.metadata.snapshots.some((snapshot) => snapshot.snapshotId === snapshotId)) return { outcome: "committed" };
    checkEpochs(planned, base);
    checkStillThere(base, runtime.clock.nowMs() - sinceMs);
    const nowMs = BigInt(runtime.clock.nowMs());
    const { lastUpdatedMs } = base.metadata;
    // Later than the last one even by a clock that is behind: times tell snapshots apart.
    const timestampMs = nowMs > lastUpdatedMs ? nowMs : lastUpdatedMs + 1n;
    const snapshot = await produce(base, { snapshotId, timestampMs, attempt });
    if (snapshot === null) return { outcome: "nothing" };
    const change = snapshotChange(base, snapshot);
    runtime.step("maintenance.sent");
    const outcome = await catalog.commit([change]);
    runtime.step("maintenance.answered");
    return outcome;
  } catch (error) {
    if (!isOutage(error)) throw error;
    return { outcome: "unknown", cause: error };
  }
}

/** @throws FrazilError `conflict`, code `EPOCH_CHANGED`, when a pipeline's epoch is not what it was, or pipelines came or went. */
function checkEpochs(planned: LoadedTable, base: LoadedTable): void {
  if (epochsOf(base) === epochsOf(planned)) return;
  throw new FrazilError(
    "conflict",
    "EPOCH_CHANGED",
    `a job of table ${identText(base.ident)} was started anew meanwhile`,
    {
      hint: "run it again",
    },
  );
}

/**
 * Files that nothing reaches are garbage after a day at the earliest: those of a process that was suspended meanwhile may be gone.
 * @throws FrazilError `conflict`, code `TOO_LATE`
 */
function checkStillThere({ ident }: LoadedTable, ageMs: number): void {
  if (ageMs < MAINTENANCE_COMMIT_MS) return;
  const hours = Math.floor(ageMs / 3_600_000);
  throw new FrazilError("conflict", "TOO_LATE", `files for table ${identText(ident)} were begun ${hours} hours ago`, {
    hint: "they may have been cleaned away; run it again",
  });
}

/** The swap that moves `main` to the snapshot. */
function snapshotChange(base: LoadedTable, snapshot: Snapshot): TableChange {
  const { metadata } = base;
  return {
    ident: base.ident,
    requirements: [
      { type: "assert-table-uuid", uuid: metadata.tableUuid },
      { type: "assert-ref-snapshot-id", ref: "main", snapshotId: metadata.currentSnapshotId },
      ...tagAssertions(base),
      { type: "assert-current-schema-id", currentSchemaId: metadata.currentSchemaId },
    ],
    updates: refUpdates(snapshot, null, base),
  };
}

/**
 * The table as it is now, waiting out a catalog that is away.
 * @throws FrazilError `data` when another table has its name now, `unavailable` after two minutes.
 */
export async function loadAgain(
  { catalog, runtime, giveUp }: MaintenanceContext,
  planned: LoadedTable,
): Promise<LoadedTable> {
  const pauses = growingPauses(runtime, GIVE_UP_AFTER_MS, giveUp);
  for (;;) {
    try {
      return sameTable(await catalog.loadTable(planned.ident), planned);
    } catch (error) {
      if (!isOutage(error)) throw error;
      await pauses.next(() => error);
    }
  }
}

/** The pipeline that writes to a table, with its epoch; null when there is none, or several. */
export function soleOwner(table: LoadedTable): { readonly pipeline: string; readonly epoch: bigint } | null {
  const [first, ...others] = pipelineTags(table);
  if (first === undefined || others.length > 0) return null;
  const [, { snapshotId }] = first;
  const snapshot = table.metadata.snapshots.find((each) => each.snapshotId === snapshotId);
  return snapshot === undefined ? null : readStamp(snapshot);
}

function pipelineTags({ metadata }: LoadedTable) {
  return [...metadata.refs].filter(([name, ref]) => pipelineOfTag(name) !== null && ref.type === "tag");
}

function tagAssertions(base: LoadedTable): TableRequirement[] {
  return pipelineTags(base).map(([ref, { snapshotId }]) => ({ type: "assert-ref-snapshot-id", ref, snapshotId }));
}

function epochsOf(table: LoadedTable): string {
  const epochs = pipelineTags(table).map(([name, { snapshotId }]) => {
    const snapshot = table.metadata.snapshots.find((each) => each.snapshotId === snapshotId);
    return `${name} ${snapshot === undefined ? "" : (readStamp(snapshot)?.epoch ?? "")}`;
  });
  return epochs.toSorted().join("\n");
}
