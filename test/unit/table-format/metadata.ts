import type { PartitionSpec, Schema, TableMetadata } from "../../../table-format/index.ts";

/** Table metadata without snapshots: a column `id` (1, long) and a column `name` (2, string), unpartitioned, v3. */
export function tableMetadata(given: Partial<TableMetadata> = {}): TableMetadata {
  const schema: Schema = {
    schemaId: 0,
    fields: [
      { id: 1, name: "id", required: true, type: { kind: "long" } },
      { id: 2, name: "name", required: false, type: { kind: "string" } },
    ],
    identifierFieldIds: [1],
  };
  const unpartitioned: PartitionSpec = { specId: 0, fields: [] };
  return {
    formatVersion: 3,
    tableUuid: "8a3c4d5e-0000-4000-8000-000000000001",
    location: "mem://t",
    lastSequenceNumber: 0n,
    lastUpdatedMs: 1_000n,
    lastColumnId: 2,
    currentSchemaId: 0,
    schemas: [schema],
    defaultSpecId: 0,
    partitionSpecs: [unpartitioned],
    lastPartitionId: 999,
    defaultSortOrderId: 0,
    sortOrders: [{ orderId: 0, fields: [] }],
    properties: new Map(),
    currentSnapshotId: null,
    nextRowId: 0n,
    refs: new Map(),
    snapshots: [],
    snapshotLog: [],
    metadataLog: [],
    unknownFields: new Map(),
    ...given,
  };
}
