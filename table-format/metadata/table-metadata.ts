import type { Schema } from "../schema/types.ts";

/**
 * Table metadata (spec, "Table Metadata"). 64-bit values are bigint. The file's JSON is read and written by `json.ts` without
 * passing an integer through a double; fields that this version does not know are kept in `unknownFields` and written back.
 */
export interface TableMetadata {
  readonly formatVersion: 1 | 2 | 3;
  readonly tableUuid: string;
  readonly location: string;
  readonly lastSequenceNumber: bigint;
  readonly lastUpdatedMs: bigint;
  readonly lastColumnId: number;
  readonly currentSchemaId: number;
  readonly schemas: readonly Schema[];
  readonly defaultSpecId: number;
  readonly partitionSpecs: readonly PartitionSpec[];
  readonly lastPartitionId: number;
  readonly defaultSortOrderId: number;
  readonly sortOrders: readonly SortOrder[];
  readonly properties: ReadonlyMap<string, string>;
  /** Null for a table without snapshots. */
  readonly currentSnapshotId: bigint | null;
  /** v3 only; 0 elsewhere. */
  readonly nextRowId: bigint;
  readonly refs: ReadonlyMap<string, SnapshotRef>;
  readonly snapshots: readonly Snapshot[];
  readonly snapshotLog: readonly { readonly timestampMs: bigint; readonly snapshotId: bigint }[];
  readonly metadataLog: readonly { readonly timestampMs: bigint; readonly metadataFile: string }[];
  /** `statistics`, `partition-statistics`, `encryption-keys` and anything newer, as parsed by `json.ts`. */
  readonly unknownFields: ReadonlyMap<string, JsonValue>;
}

/** JSON with exact integers: integers are bigint, numbers with a fraction or an exponent are number. */
export type JsonValue =
  | null
  | boolean
  | string
  | number
  | bigint
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

export interface PartitionSpec {
  readonly specId: number;
  readonly fields: readonly PartitionField[];
}

export interface PartitionField {
  readonly sourceId: number;
  readonly fieldId: number;
  readonly name: string;
  /** `identity`, `bucket[16]`, `truncate[4]`, `year`, `month`, `day`, `hour`, `void`; anything else is kept and refused for writing. */
  readonly transform: string;
}

export interface SortOrder {
  readonly orderId: number;
  readonly fields: readonly SortField[];
}

export interface SortField {
  readonly transform: string;
  readonly sourceId: number;
  readonly direction: "asc" | "desc";
  readonly nullOrder: "nulls-first" | "nulls-last";
}

export interface Snapshot {
  readonly snapshotId: bigint;
  readonly parentSnapshotId: bigint | null;
  readonly sequenceNumber: bigint;
  readonly timestampMs: bigint;
  /** Empty in snapshots of format version 1 that name their manifests themselves. */
  readonly manifestList: string;
  /** Such manifests; absent elsewhere. */
  readonly manifests?: readonly string[];
  /** Includes `operation`: append, replace, overwrite or delete. */
  readonly summary: ReadonlyMap<string, string>;
  readonly schemaId: number | null;
  /** v3: first row id and number of rows assigned by this snapshot; null in older snapshots. */
  readonly firstRowId: bigint | null;
  readonly addedRows: bigint | null;
}

export interface SnapshotRef {
  readonly snapshotId: bigint;
  readonly type: "branch" | "tag";
  readonly minSnapshotsToKeep?: number;
  readonly maxSnapshotAgeMs?: bigint;
  readonly maxRefAgeMs?: bigint;
}
