import { FrazilError } from "../errors.ts";
import type { Schema } from "../schema/types.ts";
import type { PartitionSpec, Snapshot, TableMetadata } from "./table-metadata.ts";

/** By the list of snapshots, which changes less often than the metadata that holds it. */
const indexes = new WeakMap<readonly Snapshot[], ReadonlyMap<bigint, Snapshot>>();

/** The table's snapshots by id; fewer than there are when an id stands twice. */
export function snapshotIndex({ snapshots }: TableMetadata): ReadonlyMap<bigint, Snapshot> {
  const known = indexes.get(snapshots);
  if (known !== undefined) return known;
  const index = new Map(snapshots.map((snapshot) => [snapshot.snapshotId, snapshot]));
  indexes.set(snapshots, index);
  return index;
}

/** The snapshot with this id, or null when the table does not hold it (any more). */
export function snapshotById(metadata: TableMetadata, id: bigint): Snapshot | null {
  return snapshotIndex(metadata).get(id) ?? null;
}

/** The head of `main`, or null for a table without snapshots. */
export function currentSnapshot(metadata: TableMetadata): Snapshot | null {
  return metadata.currentSnapshotId === null ? null : snapshotById(metadata, metadata.currentSnapshotId);
}

/** The snapshot that a branch or tag names, or null when there is no such ref. */
export function refSnapshot(metadata: TableMetadata, name: string): Snapshot | null {
  const ref = metadata.refs.get(name);
  return ref === undefined ? null : snapshotById(metadata, ref.snapshotId);
}

/**
 * The snapshot and its parents, newest first, as far as the table still holds them.
 * @throws FrazilError kind `corrupt` when a snapshot is its own ancestor.
 */
export function* ancestors(metadata: TableMetadata, id: bigint): Generator<Snapshot> {
  let left = metadata.snapshots.length;
  for (let snapshot = snapshotById(metadata, id); snapshot !== null;) {
    if (left-- === 0) {
      throw new FrazilError("corrupt", "SNAPSHOT_CYCLE", `snapshot ${id}: its parents lead back to themselves`);
    }
    yield snapshot;
    const parent: bigint | null = snapshot.parentSnapshotId;
    snapshot = parent === null ? null : snapshotById(metadata, parent);
  }
}

/** Whether `ancestorId` is `ofId` or one of its parents. False also when expiry cut the chain in between. */
export function isAncestor(metadata: TableMetadata, ancestorId: bigint, ofId: bigint): boolean {
  for (const snapshot of ancestors(metadata, ofId)) if (snapshot.snapshotId === ancestorId) return true;
  return false;
}

/** Whether `main` holds a snapshot: names it, or one that came of it. */
export function isOnMain(metadata: TableMetadata, id: bigint): boolean {
  const main = metadata.currentSnapshotId;
  return main !== null && isAncestor(metadata, id, main);
}

/**
 * What `main` named at a time (ms since 1970 UTC): by the snapshot log, so that rollbacks count. Null when the time lies before
 * the first entry or its snapshot has expired.
 */
export function snapshotAsOf(metadata: TableMetadata, timestampMs: bigint): Snapshot | null {
  let found: bigint | null = null;
  for (const entry of metadata.snapshotLog) if (entry.timestampMs <= timestampMs) found = entry.snapshotId;
  return found === null ? null : snapshotById(metadata, found);
}

/** @throws FrazilError kind `corrupt` when the table has no schema with this id. */
export function schemaById(metadata: TableMetadata, id: number): Schema {
  return named(
    metadata.schemas.find((schema) => schema.schemaId === id),
    `schema ${id}`,
  );
}

/** The schema that new data is written with. */
export function currentSchema(metadata: TableMetadata): Schema {
  return schemaById(metadata, metadata.currentSchemaId);
}

/** The schema a snapshot was written with; the current one for snapshots that do not say. */
export function snapshotSchema(metadata: TableMetadata, snapshot: Snapshot): Schema {
  return schemaById(metadata, snapshot.schemaId ?? metadata.currentSchemaId);
}

/** @throws FrazilError kind `corrupt` when the table has no partition spec with this id. */
export function specById(metadata: TableMetadata, id: number): PartitionSpec {
  return named(
    metadata.partitionSpecs.find((spec) => spec.specId === id),
    `partition spec ${id}`,
  );
}

/** The spec that new files are partitioned by. */
export function defaultSpec(metadata: TableMetadata): PartitionSpec {
  return specById(metadata, metadata.defaultSpecId);
}

function named<T>(part: T | undefined, what: string): T {
  if (part === undefined) {
    throw new FrazilError("corrupt", "DANGLING_ID", `the table's metadata names ${what}, which it does not hold`);
  }
  return part;
}
