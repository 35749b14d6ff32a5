import { FrazilError } from "../errors.ts";
import { applyUpdates } from "../metadata/apply.ts";
import { isAncestor, snapshotById } from "../metadata/refs.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import type { TableUpdate } from "../metadata/updates.ts";

/** A request that got no answer: what it was built on and what it was to do. */
export interface Sent {
  readonly base: TableMetadata;
  readonly updates: readonly TableUpdate[];
}

/**
 * Whether a table shows that a request has taken effect, also if others have committed on top since: it holds the snapshots that
 * were added, refs have gone the way they were sent, and the other updates would change nothing.
 */
export function inEffect(metadata: TableMetadata, { base, updates }: Sent): boolean {
  const added = updates.flatMap((update) => (update.action === "add-snapshot" ? [update.snapshot.snapshotId] : []));
  // All or nothing took effect, and nobody else has these ids.
  if (added.length > 0) return added.every((id) => snapshotById(metadata, id) !== null);
  const rest = updates.filter((update) => !(update.action === "set-snapshot-ref" && hasMoved(metadata, base, update)));
  try {
    const nowMs = metadata.lastUpdatedMs;
    return isUnchanged(metadata, applyUpdates(metadata, rest, { nowMs, previousMetadataLocation: null }));
  } catch (error) {
    if (error instanceof FrazilError) return false;
    throw error;
  }
}

/** Whether a ref has gone on from where it was sent, which it cannot have reached from where it was before. */
function hasMoved(
  metadata: TableMetadata,
  base: TableMetadata,
  { name, ref }: Extract<TableUpdate, { action: "set-snapshot-ref" }>,
): boolean {
  const now = metadata.refs.get(name)?.snapshotId;
  const before = base.refs.get(name)?.snapshotId;
  if (now === undefined || before === undefined || now === before || now === ref.snapshotId) return false;
  if (!isAncestor(metadata, ref.snapshotId, now)) return false;
  return !(isAncestor(base, ref.snapshotId, before) && isAncestor(metadata, before, now));
}

/** Updates that change nothing leave the parts of metadata as they are, but copy maps and lists. */
function isUnchanged(before: TableMetadata, after: TableMetadata): boolean {
  const { properties } = before;
  return (
    after.formatVersion === before.formatVersion &&
    after.location === before.location &&
    after.currentSchemaId === before.currentSchemaId &&
    after.schemas.length === before.schemas.length &&
    after.defaultSpecId === before.defaultSpecId &&
    after.partitionSpecs.length === before.partitionSpecs.length &&
    after.defaultSortOrderId === before.defaultSortOrderId &&
    after.sortOrders.length === before.sortOrders.length &&
    after.snapshots.length === before.snapshots.length &&
    after.refs.size === before.refs.size &&
    [...after.refs].every(([name, ref]) => before.refs.get(name) === ref) &&
    after.properties.size === properties.size &&
    [...after.properties].every(([key, value]) => properties.get(key) === value)
  );
}
