import type { Snapshot } from "../../table-format/index.ts";

/** Rows that a snapshot holds, by its summary; null when the writer did not say or when equality deletes hide the number. */
export function liveRows(snapshot: Snapshot): bigint | null {
  const total = figure(snapshot, "total-records");
  const deleted = figure(snapshot, "total-position-deletes") ?? 0n;
  if (total === null || (figure(snapshot, "total-equality-deletes") ?? 0n) > 0n) return null;
  return total - deleted;
}

/** Rows that a snapshot added and took away; an updated row counts on both sides. Null where the summaries do not tell. */
export function changedRows(
  snapshot: Snapshot,
  parent: Snapshot | null,
): { added: bigint | null; deleted: bigint | null } {
  const added = figure(snapshot, "added-records") ?? 0n;
  const after = liveRows(snapshot);
  const before = parent === null ? (snapshot.parentSnapshotId === null ? 0n : null) : liveRows(parent);
  if (after === null || before === null) return { added, deleted: null };
  return { added, deleted: added - (after - before) };
}

/** A whole number of a summary, or null. */
export function figure(snapshot: Snapshot, name: string): bigint | null {
  const text = snapshot.summary.get(name);
  return text !== undefined && /^\d+$/.test(text) ? BigInt(text) : null;
}

/** `2026-11-20T09:00:00.123Z`. */
export function timeText(timestampMs: bigint): string {
  return new Date(Number(timestampMs)).toISOString();
}
