import { FrazilError } from "../errors.ts";
import { snapshotById, snapshotIndex } from "./refs.ts";
import type { TableMetadata } from "./table-metadata.ts";

/** Clocks of different writers may differ by this much (as in Java). */
const CLOCK_TOLERANCE_MS = 60_000n;

/**
 * The first thing about a table's metadata that would make Java refuse to load it, or null.
 */
export function metadataFlaw(m: TableMetadata): string | null {
  return idFlaw(m) ?? refFlaw(m) ?? snapshotFlaw(m) ?? logFlaw(m);
}

/** @throws FrazilError kind `corrupt` naming the file and the flaw. */
export function checkMetadata(metadata: TableMetadata, location: string): void {
  const flaw = metadataFlaw(metadata);
  if (flaw !== null) throw new FrazilError("corrupt", "INVALID_METADATA", `${location}: ${flaw}`);
}

function idFlaw(m: TableMetadata): string | null {
  if (!m.schemas.some((schema) => schema.schemaId === m.currentSchemaId)) {
    return `current-schema-id ${m.currentSchemaId} is not among the schemas`;
  }
  if (!m.partitionSpecs.some((spec) => spec.specId === m.defaultSpecId)) {
    return `default-spec-id ${m.defaultSpecId} is not among the partition specs`;
  }
  if (!m.sortOrders.some((order) => order.orderId === m.defaultSortOrderId)) {
    return `default-sort-order-id ${m.defaultSortOrderId} is not among the sort orders`;
  }
  return null;
}

function refFlaw(m: TableMetadata): string | null {
  const main = m.refs.get("main");
  if ((main?.snapshotId ?? null) !== m.currentSnapshotId) {
    return `current-snapshot-id is ${m.currentSnapshotId}, but main names ${main?.snapshotId ?? null}`;
  }
  if (main !== undefined && main.type !== "branch") return "main is not a branch";
  for (const [name, ref] of m.refs) {
    if (snapshotById(m, ref.snapshotId) === null)
      return `ref ${name} names snapshot ${ref.snapshotId}, which is not held`;
  }
  return null;
}

function snapshotFlaw(m: TableMetadata): string | null {
  if (snapshotIndex(m).size < m.snapshots.length) {
    const seen = new Set<bigint>();
    const twice = m.snapshots.find(({ snapshotId }) => seen.size === seen.add(snapshotId).size);
    return `snapshot ${twice?.snapshotId} stands twice`;
  }
  for (const { snapshotId, sequenceNumber } of m.snapshots) {
    if (sequenceNumber > m.lastSequenceNumber) {
      return `snapshot ${snapshotId} has sequence number ${sequenceNumber}, above last-sequence-number ${m.lastSequenceNumber}`;
    }
  }
  return null;
}

function logFlaw(m: TableMetadata): string | null {
  for (const [name, log] of [
    ["snapshot-log", m.snapshotLog],
    ["metadata-log", m.metadataLog],
  ] as const) {
    let last: bigint | null = null;
    for (const { timestampMs } of log) {
      if (last !== null && timestampMs < last - CLOCK_TOLERANCE_MS) return `${name} is not sorted by time`;
      last = timestampMs;
    }
    if (last !== null && m.lastUpdatedMs < last - CLOCK_TOLERANCE_MS) {
      return `last-updated-ms ${m.lastUpdatedMs} lies before the last entry of ${name}, ${last}`;
    }
  }
  return null;
}

/** Whether a time lies before another by more than clocks may differ. */
export function goesBack(timestampMs: bigint, lastMs: bigint): boolean {
  return timestampMs < lastMs - CLOCK_TOLERANCE_MS;
}
