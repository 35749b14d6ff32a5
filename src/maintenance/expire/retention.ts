import {
  ancestors,
  keepBranch,
  reachedByBranches,
  refExpired,
  snapshotById,
  type TableMetadata,
} from "../../../table-format/index.ts";
import { pipelineOfTag } from "../../commit/names.ts";
import { writerBranch } from "../../commit/writer-branch.ts";

/** What to keep where a branch does not say it itself (spec, "Snapshot Retention Policy"). */
export interface RetentionPolicy {
  /** Snapshots of a branch at least, newest first. */
  readonly minSnapshotsToKeep: number;
  /** Snapshots younger than this are kept, whether a ref reaches them or not. */
  readonly maxSnapshotAgeMs: bigint;
  /** How long after its last step forward a consumer keeps what it has yet to read; absent: as the table says. */
  readonly consumerHoldsMs?: bigint | undefined;
}

/** What goes: snapshots in the order of the metadata, and tags and branches that are older than they are to become. */
export interface Expired {
  readonly snapshotIds: readonly bigint[];
  readonly refs: readonly string[];
}

/**
 * What the policy lets go at a time. Beyond the spec's rules it keeps every snapshot that lies between a pipeline's tag and the
 * branch that leads to it: with a hole there the pipeline could not tell a foreign commit from a rollback; what lies between `main` and
 * a branch, so that it can be told whether the branch holds all of `main`; and those in `pinned`.
 */
export function expiredAt(
  metadata: TableMetadata,
  policy: RetentionPolicy,
  pinned: ReadonlySet<bigint>,
  nowMs: bigint,
): Expired {
  const refs: string[] = [];
  const kept = new Set(pinned);
  const oldest = nowMs - policy.maxSnapshotAgeMs;
  const retention = { minSnapshotsToKeep: policy.minSnapshotsToKeep, olderThanMs: oldest, nowMs };
  for (const [name, ref] of metadata.refs) {
    const isPipelines = pipelineOfTag(name) !== null;
    // A pipeline's tag is its position and fence.
    if (!isPipelines && refExpired(metadata, name, ref, nowMs)) refs.push(name);
    else if (ref.type === "tag") kept.add(ref.snapshotId);
    else keepBranch(metadata, ref, retention, kept);
    if (isPipelines) keepDownTo(metadata, ref.snapshotId, kept);
  }
  keepForks(metadata, kept);
  // What no branch reaches has been rolled back or belonged to one that is gone: age alone decides.
  const reached = reachedByBranches(metadata);
  const gone = metadata.snapshots.filter(({ snapshotId, timestampMs }) => {
    if (kept.has(snapshotId)) return false;
    return reached.has(snapshotId) || timestampMs < oldest;
  });
  return { snapshotIds: gone.map(({ snapshotId }) => snapshotId), refs };
}

/** Keeps all snapshots from each branch down to a snapshot; where it does not lead there, what tells so. */
export function keepDownTo(metadata: TableMetadata, tagged: bigint, kept: Set<bigint>): void {
  for (const { type, snapshotId } of metadata.refs.values()) {
    if (type === "branch") keepBetween(metadata, snapshotId, tagged, kept);
  }
}

/** Keeps what each branch holds beyond the snapshot of `main` that it comes from, and what `main` holds beyond it where a pipeline writes to the branch. */
function keepForks(metadata: TableMetadata, kept: Set<bigint>): void {
  const main = metadata.currentSnapshotId;
  if (main === null) return;
  const written = writerBranch({ metadata });
  const line = new Set(Array.from(ancestors(metadata, main), ({ snapshotId }) => snapshotId));
  for (const [name, { type, snapshotId: head }] of metadata.refs) {
    if (type !== "branch" || name === "main") continue;
    for (const { snapshotId } of ancestors(metadata, head)) {
      if (!line.has(snapshotId)) continue;
      keepBetween(metadata, head, snapshotId, kept);
      // A branch that nobody writes to would keep all of `main` from its beginning on.
      if (name === written) keepBetween(metadata, main, snapshotId, kept);
      break;
    }
  }
}

/**
 * Keeps all snapshots from a head down to another. Where the head does not lead there, because the table was rolled back, down to the first
 * that is older than the other: without it that could no longer be told from history that has expired.
 */
function keepBetween(metadata: TableMetadata, head: bigint, tagged: bigint, kept: Set<bigint>): void {
  const end = snapshotById(metadata, tagged)?.sequenceNumber ?? null;
  const between: bigint[] = [];
  for (const { snapshotId, sequenceNumber } of ancestors(metadata, head)) {
    between.push(snapshotId);
    if (snapshotId !== tagged && (end === null || sequenceNumber >= end)) continue;
    for (const id of between) kept.add(id);
    return;
  }
}
