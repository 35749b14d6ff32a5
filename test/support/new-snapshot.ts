import {
  currentSchema,
  type FileIO,
  produceSnapshot,
  type SnapshotInput,
  type TableMetadata,
  type TableUpdate,
} from "../../table-format/index.ts";

/**
 * Writes the manifests of a snapshot with some changes, and gives the updates that put it on `main`.
 * @param name of its manifests and its manifest list: one that no other snapshot of the table has
 */
export async function newSnapshot(
  io: FileIO,
  metadata: TableMetadata,
  changes: Pick<SnapshotInput, "snapshotId"> & Partial<SnapshotInput>,
  name = `${changes.snapshotId}`,
): Promise<readonly TableUpdate[]> {
  const path = `${metadata.location}/metadata/${name}`;
  const { snapshot } = await produceSnapshot(
    io,
    metadata,
    {
      timestampMs: metadata.lastUpdatedMs + 1n,
      addedDataFiles: [],
      removedDataFiles: [],
      addedDeleteFiles: [],
      removedDeleteFiles: [],
      summary: new Map(),
      schema: currentSchema(metadata),
      ref: "main",
      ...changes,
    },
    { manifest: (k) => `${path}-m${k}.avro`, manifestList: () => `${path}-list.avro` },
  );
  const { snapshotId } = snapshot;
  return [
    { action: "add-snapshot", snapshot },
    { action: "set-snapshot-ref", name: "main", ref: { type: "branch", snapshotId } },
  ];
}
