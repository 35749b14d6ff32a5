import { FrazilError } from "../errors.ts";
import { currentSchema, refSnapshot, snapshotAsOf, snapshotById, snapshotSchema } from "../metadata/refs.ts";
import type { Snapshot, TableMetadata } from "../metadata/table-metadata.ts";
import type { Schema } from "../schema/types.ts";

/** A point of a table's history: a snapshot, what `main` was at a time (ms since 1970 UTC), or a branch or tag. */
export type PointInTime =
  | { readonly snapshotId: bigint }
  | { readonly asOfTimestampMs: bigint }
  | { readonly ref: string };

/**
 * Finds the snapshot at a point of a table's history, and the schema to read it with (spec, "Point in Time Reads (Time Travel)"): a
 * branch is read with the table's current schema, everything else with the schema that the snapshot was written with.
 * @throws FrazilError kind `not-found` when the table holds no snapshot there (any more)
 */
export function timeTravel(
  metadata: TableMetadata,
  point: PointInTime,
): { readonly snapshot: Snapshot; readonly schema: Schema } {
  const snapshot = find(metadata, point);
  if (snapshot === null) throw notThere(metadata, point);
  const isBranch = "ref" in point && metadata.refs.get(point.ref)?.type === "branch";
  return { snapshot, schema: isBranch ? currentSchema(metadata) : snapshotSchema(metadata, snapshot) };
}

function find(metadata: TableMetadata, point: PointInTime): Snapshot | null {
  if ("snapshotId" in point) return snapshotById(metadata, point.snapshotId);
  return "ref" in point ? refSnapshot(metadata, point.ref) : snapshotAsOf(metadata, point.asOfTimestampMs);
}

function notThere({ refs, snapshots }: TableMetadata, point: PointInTime): FrazilError {
  if ("ref" in point) {
    return new FrazilError("not-found", "SNAPSHOT_NOT_FOUND", `the table has no branch or tag ${point.ref}`, {
      hint: `it has ${[...refs.keys()].join(", ") || "none"}`,
    });
  }
  const what = "snapshotId" in point ? `snapshot ${point.snapshotId}` : `snapshot as of ${point.asOfTimestampMs} ms`;
  return new FrazilError("not-found", "SNAPSHOT_NOT_FOUND", `the table holds no ${what}, of ${snapshots.length}`, {
    hint: "it may have expired",
  });
}
