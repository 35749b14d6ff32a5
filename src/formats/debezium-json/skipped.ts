import type { Envelope } from "./envelope.ts";

/** Messages that are no row changes, by what they are. */
export const SKIPPED = [
  "heartbeat",
  "transaction",
  "schemaChange",
  "logicalMessage",
  "notification",
  /** Neither key nor value. */
  "empty",
  /** A tombstone that follows its delete and cannot name the row by itself, see `TombstoneMemory`. */
  "tombstone",
  /** No entry of `tables:` takes it. */
  "unrouted",
] as const;

export type SkippedKind = (typeof SKIPPED)[number];

export type SkippedCounts = Record<SkippedKind, number>;

export function noneSkipped(): SkippedCounts {
  return Object.fromEntries(SKIPPED.map((kind) => [kind, 0])) as SkippedCounts;
}

/** What a message without `op` is, by its shape; null when it is nothing that Debezium sends. */
export function skippedKind(envelope: Envelope): SkippedKind | null {
  const { others } = envelope;
  if (envelope.before.start >= 0 || envelope.after.start >= 0) return null;
  if (others.has("status") && others.has("id")) return "transaction";
  if (others.has("ddl") || others.has("tableChanges") || others.has("historyRecord")) return "schemaChange";
  if (others.has("aggregate_type") && others.has("type")) return "notification";
  return [...others].every((name) => name.startsWith("ts_")) && others.has("ts_ms") ? "heartbeat" : null;
}
