import type { Schema } from "../schema/types.ts";
import type { PartitionSpec, Snapshot, SnapshotRef, SortOrder } from "./table-metadata.ts";

/** A condition on the table that the catalog checks in the same atomic step as the updates (REST spec, "TableRequirement"). */
export type TableRequirement =
  | { readonly type: "assert-create" }
  | { readonly type: "assert-table-uuid"; readonly uuid: string }
  | {
      readonly type: "assert-ref-snapshot-id";
      readonly ref: string;
      readonly snapshotId: bigint | null;
    }
  | { readonly type: "assert-last-assigned-field-id"; readonly lastAssignedFieldId: number }
  | { readonly type: "assert-current-schema-id"; readonly currentSchemaId: number }
  | { readonly type: "assert-last-assigned-partition-id"; readonly lastAssignedPartitionId: number }
  | { readonly type: "assert-default-spec-id"; readonly defaultSpecId: number }
  | { readonly type: "assert-default-sort-order-id"; readonly defaultSortOrderId: number };

/** A change of table metadata (REST spec, "TableUpdate"). In `set-*` -1 means the one that the same list just added. */
export type TableUpdate =
  | { readonly action: "assign-uuid"; readonly uuid: string }
  | { readonly action: "upgrade-format-version"; readonly formatVersion: 1 | 2 | 3 }
  | { readonly action: "add-schema"; readonly schema: Schema; readonly lastColumnId: number }
  | { readonly action: "set-current-schema"; readonly schemaId: number }
  | { readonly action: "add-spec"; readonly spec: PartitionSpec }
  | { readonly action: "set-default-spec"; readonly specId: number }
  | { readonly action: "add-sort-order"; readonly sortOrder: SortOrder }
  | { readonly action: "set-default-sort-order"; readonly sortOrderId: number }
  | { readonly action: "add-snapshot"; readonly snapshot: Snapshot }
  | { readonly action: "set-snapshot-ref"; readonly name: string; readonly ref: SnapshotRef }
  | { readonly action: "remove-snapshots"; readonly snapshotIds: readonly bigint[] }
  | { readonly action: "remove-snapshot-ref"; readonly name: string }
  | { readonly action: "remove-schemas"; readonly schemaIds: readonly number[] }
  | { readonly action: "remove-partition-specs"; readonly specIds: readonly number[] }
  | { readonly action: "set-location"; readonly location: string }
  | { readonly action: "set-properties"; readonly updates: ReadonlyMap<string, string> }
  | { readonly action: "remove-properties"; readonly removals: readonly string[] }
  | { readonly action: "set-statistics"; readonly statistics: StatisticsFile }
  | { readonly action: "remove-statistics"; readonly snapshotId: bigint }
  | { readonly action: "remove-partition-statistics"; readonly snapshotId: bigint };

/** A Puffin file with statistics of a snapshot (spec, "Table Statistics"). */
export interface StatisticsFile {
  readonly snapshotId: bigint;
  readonly path: string;
  readonly fileSizeBytes: bigint;
  readonly footerSizeBytes: bigint;
  /** What its blobs are, so that planners need not open it. */
  readonly blobs: readonly {
    readonly type: string;
    /** Of the snapshot that the blob was computed from. */
    readonly snapshotId: bigint;
    readonly sequenceNumber: bigint;
    readonly fields: readonly number[];
    readonly properties: Readonly<Record<string, string>>;
  }[];
}
