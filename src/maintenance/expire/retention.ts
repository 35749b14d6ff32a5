import {
  ancestors,
  keepBranch,
  reachedByBranches,
  refExpired,
  type Snapshot,
  snapshotById,
  type SnapshotRef,
  type SnapshotRetention,
  type TableMetadata,
  tableRetention,
} from "../../../table-format/index.ts";
import { pipelineOfTag } from "../../commit/names.ts";
import { writerBranch } from "../../commit/writer-branch.ts";
import { EXPIRE_MAX_SNAPSHOTS, EXPIRE_SPARED_MS } from "../../core/limits.ts";

/** What to keep where a branch does not say it itself (spec, "Snapshot Retention Policy"). */
export interface RetentionPolicy {
  /** Snapshots of a branch at least, newest first. */
  readonly minSnapshotsToKeep: number;
  /** Snapshots younger than this are kept, whether a ref reaches them or not. */
  readonly maxSnapshotAgeMs: bigint;
  /** Snapshots of a branch at most, newest first, whatever their age from `EXPIRE_SPARED_MS` on; absent: all that are young enough. */
  readonly maxSnapshots?: number | undefined;
  /** How long after its last step forward a consumer keeps what it has yet to read; absent: as the table says. */
  readonly consumerHoldsMs?: bigint | undefined;
}

/** Why a snapshot goes: for its age, as there are so many newer ones, or because no branch leads to it and it is old. */
type Reason = "age" | "number" | "unreached";

/** What goes: snapshots in the order of the metadata, and tags and branches that are older than they are to become. */
export interface Expired {
  readonly snapshotIds: readonly bigint[];
  readonly refs: readonly string[];
  /** How many of the snapshots go for which reason. */
  readonly reasons: Readonly<Record<Reason, number>>;
}

/** What somebody who has snapshots expired says himself; null or undefined: nothing. */
export interface AskedRetention {
  readonly keepMs?: number | null | undefined;
  readonly minSnapshots?: number | null | undefined;
  readonly maxSnapshots?: number | null | undefined;
  readonly consumerHoldsMs?: bigint | undefined;
}

/**
 * What is asked for, else what the table says. Where neither says how long snapshots stay, their number is bounded besides, as each of them
 * is written anew by every commit.
 */
export function retentionPolicy(metadata: TableMetadata, asked: AskedRetention): RetentionPolicy {
  const own = tableRetention(metadata);
  const keepMs = asked.keepMs ?? null;
  const isAgeGiven = keepMs !== null || metadata.properties.has("history.expire.max-snapshot-age-ms");
  return {
    minSnapshotsToKeep: asked.minSnapshots ?? own.minSnapshotsToKeep,
    maxSnapshotAgeMs: keepMs === null ? own.maxSnapshotAgeMs : BigInt(keepMs),
    maxSnapshots: asked.maxSnapshots ?? (isAgeGiven ? undefined : EXPIRE_MAX_SNAPSHOTS),
    consumerHoldsMs: asked.consumerHoldsMs,
  };
}

/**
 * What the policy lets go at a time. Beyond the spec's rules it keeps every snapshot that lies between a pipeline's tag and the
 * branch that leads to it: with a hole there the pipeline could not tell a foreign commit from a rollback; what lies between `main` and
 * a branch, so that it can be told whether the branch holds all of `main`, also of a `main` that is yet to come; and those in `pinned`.
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
  const { minSnapshotsToKeep, maxSnapshots } = policy;
  const atMost =
    maxSnapshots === undefined ? undefined : { snapshots: maxSnapshots, sparedMs: nowMs - BigInt(EXPIRE_SPARED_MS) };
  const retention: SnapshotRetention = { minSnapshotsToKeep, olderThanMs: oldest, nowMs, atMost };
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
  const reasons: Record<Reason, number> = { age: 0, number: 0, unreached: 0 };
  const snapshotIds: bigint[] = [];
  for (const snapshot of metadata.snapshots) {
    const { snapshotId, timestampMs } = snapshot;
    const branch = reached.get(snapshotId);
    if (kept.has(snapshotId) || (branch === undefined && timestampMs >= oldest)) continue;
    snapshotIds.push(snapshotId);
    reasons[branch === undefined ? "unreached" : reasonOf(snapshot, branch, retention)]++;
  }
  return { snapshotIds, refs, reasons };
}

/** Why a snapshot goes that a branch reaches, unless it is kept. */
function reasonOf(
  { timestampMs }: Snapshot,
  { maxSnapshotAgeMs }: SnapshotRef,
  { olderThanMs, nowMs, atMost }: SnapshotRetention,
): Reason {
  const oldest = maxSnapshotAgeMs === undefined ? olderThanMs : nowMs - maxSnapshotAgeMs;
  return atMost === undefined || timestampMs < oldest ? "age" : "number";
}

/** Keeps all snapshots from each branch down to a snapshot; where it does not lead there, what tells so. */
export function keepDownTo(metadata: TableMetadata, tagged: bigint, kept: Set<bigint>): void {
  for (const { type, snapshotId } of metadata.refs.values()) {
    if (type === "branch") keepBetween(metadata, snapshotId, tagged, kept);
  }
}

/**
 * Keeps what each branch holds beyond the snapshot of `main` that it comes from, and what `main` holds beyond it where a pipeline writes to
 * the branch. As long as nothing has been published, all of that branch: `main` may become any snapshot of it.
 */
function keepForks(metadata: TableMetadata, kept: Set<bigint>): void {
  const main = metadata.currentSnapshotId;
  const written = writerBranch({ metadata });
  if (main === null) {
    const head = written === null ? undefined : metadata.refs.get(written)?.snapshotId;
    if (head !== undefined) for (const { snapshotId } of ancestors(metadata, head)) kept.add(snapshotId);
    return;
  }
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
