import { ancestors, snapshotById } from "../metadata/refs.ts";
import type { SnapshotRef, TableMetadata } from "../metadata/table-metadata.ts";

/** What to keep where a branch does not say it itself (spec, "Snapshot Retention Policy"). */
export interface SnapshotRetention {
  /** Snapshots of a branch at least, newest first. */
  readonly minSnapshotsToKeep: number;
  /** Snapshots that are not older are kept, whether a ref reaches them or not: milliseconds since 1970 UTC. */
  readonly olderThanMs: bigint;
  /** The time by which ages are told. */
  readonly nowMs: bigint;
  /** Of a branch that says nothing of ages itself: no more than so many, newest first, but for those that are not older than `sparedMs`. */
  readonly atMost?: { readonly snapshots: number; readonly sparedMs: bigint } | undefined;
}

const DAY_MS = 86_400_000n;

/** The table's own `history.expire.*`, with Iceberg's defaults of one snapshot and five days. */
export function tableRetention({ properties }: TableMetadata): {
  readonly minSnapshotsToKeep: number;
  readonly maxSnapshotAgeMs: bigint;
} {
  const number = (name: string, fallback: bigint): bigint => {
    const text = properties.get(name);
    return text !== undefined && /^\d{1,19}$/.test(text) ? BigInt(text) : fallback;
  };
  return {
    minSnapshotsToKeep: Number(number("history.expire.min-snapshots-to-keep", 1n)),
    maxSnapshotAgeMs: number("history.expire.max-snapshot-age-ms", 5n * DAY_MS),
  };
}

/** Whether a branch or tag has outlived its `max-ref-age-ms`, or else the table's; `main` never does. */
export function refExpired(metadata: TableMetadata, name: string, ref: SnapshotRef, nowMs: bigint): boolean {
  if (name === "main") return false;
  const property = metadata.properties.get("history.expire.max-ref-age-ms");
  const maxAgeMs = ref.maxRefAgeMs ?? (property !== undefined && /^\d{1,19}$/.test(property) ? BigInt(property) : null);
  if (maxAgeMs === null) return false;
  const snapshot = snapshotById(metadata, ref.snapshotId);
  return snapshot !== null && nowMs - snapshot.timestampMs > maxAgeMs;
}

/** Adds to `kept` the snapshots of a branch that its retention keeps, or else the given one. */
export function keepBranch(
  metadata: TableMetadata,
  ref: SnapshotRef,
  retention: SnapshotRetention,
  kept: Set<bigint>,
): void {
  const atLeast = Math.max(1, ref.minSnapshotsToKeep ?? retention.minSnapshotsToKeep);
  const isOwnAge = ref.maxSnapshotAgeMs !== undefined;
  const oldest = isOwnAge ? retention.nowMs - ref.maxSnapshotAgeMs : retention.olderThanMs;
  const atMost = isOwnAge ? undefined : retention.atMost;
  let count = 0;
  for (const { snapshotId, timestampMs } of ancestors(metadata, ref.snapshotId)) {
    const isBeyond = atMost !== undefined && count >= atMost.snapshots && timestampMs < atMost.sparedMs;
    if (count >= atLeast && (timestampMs < oldest || isBeyond)) return;
    kept.add(snapshotId);
    count++;
  }
}

/** Snapshots that a branch reaches, whether or not they are kept, each with the first such branch. */
export function reachedByBranches(metadata: TableMetadata): Map<bigint, SnapshotRef> {
  const reached = new Map<bigint, SnapshotRef>();
  for (const ref of metadata.refs.values()) {
    if (ref.type === "tag") continue;
    for (const snapshot of ancestors(metadata, ref.snapshotId)) {
      if (reached.has(snapshot.snapshotId)) break;
      reached.set(snapshot.snapshotId, ref);
    }
  }
  return reached;
}
