import { jsonText } from "../json/exact-json.ts";
import type { Snapshot, SnapshotRef, TableMetadata } from "./table-metadata.ts";
import { change, type Draft, invalid, stale } from "./draft.ts";
import { snapshotById } from "./refs.ts";
import { checkRef, refJson } from "./snapshot-json.ts";
import { type StatisticsKey, withoutStatistics, withStatistics } from "./statistics.ts";
import type { StatisticsFile } from "./updates.ts";
import { goesBack } from "./validate.ts";

/** Adds a snapshot without making any ref name it. Checks as in Java; what only fresh metadata can cure is a conflict. */
export function addSnapshot(draft: Draft, snapshot: Snapshot): void {
  const { metadata } = draft;
  const id = snapshot.snapshotId;
  if (id <= 0n || BigInt.asIntN(64, id) !== id) throw invalid(`snapshot id ${id} is not a positive 64-bit integer`);
  if (snapshot.manifestList === "") throw invalid(`snapshot ${id} names no manifest list`);
  if (!snapshot.summary.has("operation")) throw invalid(`snapshot ${id} has no operation in its summary`);
  if (snapshotById(metadata, id) !== null) throw stale(`snapshot ${id} is already there`);
  const isNumbered = metadata.formatVersion > 1;
  if (isNumbered && snapshot.parentSnapshotId !== null && snapshot.sequenceNumber <= metadata.lastSequenceNumber) {
    throw stale(
      `snapshot ${id} has sequence number ${snapshot.sequenceNumber}, the table is at ${metadata.lastSequenceNumber}`,
    );
  }
  if (goesBack(snapshot.timestampMs, metadata.lastUpdatedMs)) {
    throw stale(
      `snapshot ${id} is of ${snapshot.timestampMs}, more than a minute before the table's last change, ${metadata.lastUpdatedMs}`,
    );
  }
  if (snapshot.schemaId !== null && !metadata.schemas.some((schema) => schema.schemaId === snapshot.schemaId)) {
    throw stale(`snapshot ${id} has schema ${snapshot.schemaId}, which the table does not hold`);
  }
  draft.added.add(id);
  change(draft, {
    snapshots: [...metadata.snapshots, snapshot],
    nextRowId: nextRowId(metadata, snapshot),
    lastUpdatedMs: later(metadata.lastUpdatedMs, snapshot.timestampMs),
    lastSequenceNumber: later(metadata.lastSequenceNumber, snapshot.sequenceNumber),
  });
}

/** Row ids are never given twice (spec, "Row Lineage"). */
function nextRowId({ formatVersion, nextRowId: next }: TableMetadata, snapshot: Snapshot): bigint {
  const { snapshotId, firstRowId, addedRows } = snapshot;
  if (formatVersion < 3) {
    if (firstRowId !== null) throw stale(`snapshot ${snapshotId} has a first row id, which needs format version 3`);
    return next;
  }
  if (firstRowId === null || addedRows === null) {
    // Also what a writer meets that prepared for version 2 while somebody upgraded the table.
    throw stale(`snapshot ${snapshotId} lacks first-row-id and added-rows, which format version 3 requires`);
  }
  if (addedRows < 0n) throw invalid(`snapshot ${snapshotId} adds ${addedRows} rows`);
  if (firstRowId < next) throw stale(`snapshot ${snapshotId} starts at row id ${firstRowId}, the table is at ${next}`);
  return firstRowId + addedRows;
}

export function setRef(draft: Draft, name: string, ref: SnapshotRef): void {
  checkRef(name, ref);
  const { metadata } = draft;
  if (snapshotById(metadata, ref.snapshotId) === null) {
    throw stale(`ref ${name} cannot name snapshot ${ref.snapshotId}, which the table does not hold`);
  }
  const before = metadata.refs.get(name);
  if (before !== undefined && jsonText(refJson(before)) === jsonText(refJson(ref))) return;
  change(draft, {
    refs: new Map(metadata.refs).set(name, ref),
    ...(name === "main" && { currentSnapshotId: ref.snapshotId }),
  });
}

export function removeRef(draft: Draft, name: string): void {
  const refs = new Map(draft.metadata.refs);
  if (!refs.delete(name)) return;
  // As Java: a table without main has no current snapshot and no history.
  change(draft, { refs, ...(name === "main" && { currentSnapshotId: null, snapshotLog: [] }) });
}

/** Expires snapshots, with their statistics and the history up to the last of them, so that time travel never lands in a hole. */
export function removeSnapshots(draft: Draft, snapshotIds: readonly bigint[]): void {
  const { metadata } = draft;
  const gone = new Set(snapshotIds);
  const lastGone = metadata.snapshotLog.findLastIndex((entry) => gone.has(entry.snapshotId));
  change(draft, {
    snapshots: metadata.snapshots.filter((snapshot) => !gone.has(snapshot.snapshotId)),
    snapshotLog: metadata.snapshotLog.slice(lastGone + 1),
    unknownFields: withoutStatistics(metadata, gone),
  });
}

/** Puts a snapshot's statistics in the place of those that it had; a snapshot that is gone has none. */
export function setStatistics(draft: Draft, statistics: StatisticsFile): void {
  const { metadata } = draft;
  const { snapshotId } = statistics;
  if (snapshotById(metadata, snapshotId) === null) {
    throw stale(`statistics need snapshot ${snapshotId}, which is no longer there`);
  }
  change(draft, { unknownFields: withStatistics(metadata, statistics) });
}

/** Forgets the statistics of a snapshot; one that has none stays as it is. */
export function removeStatistics(draft: Draft, of: StatisticsKey, snapshotId: bigint): void {
  change(draft, { unknownFields: withoutStatistics(draft.metadata, new Set([snapshotId]), [of]) });
}

/** No ref may dangle; whoever expires a snapshot that somebody has tagged meanwhile must look again. */
export function checkRefs(metadata: TableMetadata): void {
  for (const [name, ref] of metadata.refs) {
    if (snapshotById(metadata, ref.snapshotId) === null) {
      throw stale(`snapshot ${ref.snapshotId} cannot be removed: ref ${name} names it`);
    }
  }
}

/** One entry when `main` has moved: at the snapshot's own time if it is new, else now (rollback, cherry-pick). */
export function logMain(draft: Draft): void {
  const { metadata, base, added, nowMs } = draft;
  const current = metadata.currentSnapshotId;
  if (current === null || current === (base?.currentSnapshotId ?? null)) return;
  const snapshot = snapshotById(metadata, current);
  const timestampMs =
    added.has(current) && snapshot !== null ? snapshot.timestampMs : later(nowMs, metadata.lastUpdatedMs);
  change(draft, { snapshotLog: [...metadata.snapshotLog, { timestampMs, snapshotId: current }] });
}

function later(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
