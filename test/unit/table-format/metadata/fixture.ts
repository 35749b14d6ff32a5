import { applyUpdates } from "../../../../table-format/metadata/apply.ts";
import type { Snapshot, TableMetadata } from "../../../../table-format/metadata/table-metadata.ts";
import type { TableUpdate } from "../../../../table-format/metadata/updates.ts";
import { parsePartitionBy } from "../../../../table-format/partition/spec.ts";
import { newSchema } from "../../../../table-format/schema/schema.ts";

/** 2026-11-20. */
export const T0 = 1_795_132_800_000n;
export const BIG = 9_007_199_254_740_993n;

export const schema = newSchema(
  [
    { name: "id", type: { kind: "long" }, required: true },
    { name: "at", type: { kind: "timestamptz" }, required: false, doc: "when" },
    { name: "total", type: { kind: "decimal", precision: 18, scale: 2 }, required: false },
  ],
  ["id"],
);

/** What creates a table. */
export function creation(location = "/lake/shop/orders", formatVersion: 2 | 3 = 3): TableUpdate[] {
  return [
    { action: "assign-uuid", uuid: "9c12d441-03fe-4693-9a96-a0705ddf69c1" },
    { action: "upgrade-format-version", formatVersion },
    { action: "add-schema", schema, lastColumnId: 3 },
    { action: "set-current-schema", schemaId: -1 },
    { action: "add-spec", spec: parsePartitionBy(["day(at)"], schema) },
    { action: "set-default-spec", specId: -1 },
    { action: "add-sort-order", sortOrder: { orderId: 0, fields: [] } },
    { action: "set-default-sort-order", sortOrderId: -1 },
    { action: "set-location", location },
  ];
}

/** An empty snapshot on top of a table. */
export function snapshotOn(base: TableMetadata | null, snapshotId: bigint, fields: Partial<Snapshot> = {}): Snapshot {
  const v3 = (base?.formatVersion ?? 3) >= 3;
  return {
    snapshotId,
    parentSnapshotId: base?.currentSnapshotId ?? null,
    sequenceNumber: (base?.lastSequenceNumber ?? 0n) + 1n,
    timestampMs: (base?.lastUpdatedMs ?? T0) + 1n,
    manifestList: `/lake/shop/orders/metadata/snap-${snapshotId}.avro`,
    summary: new Map([["operation", "append"]]),
    schemaId: 0,
    firstRowId: v3 ? (base?.nextRowId ?? 0n) : null,
    addedRows: v3 ? 0n : null,
    ...fields,
  };
}

/** Adds a snapshot and moves `main` to it. */
export function appended(snapshot: Snapshot): TableUpdate[] {
  return [
    { action: "add-snapshot", snapshot },
    { action: "set-snapshot-ref", name: "main", ref: { type: "branch", snapshotId: snapshot.snapshotId } },
  ];
}

/** A table with one snapshot an id. */
export function tableWith(ids: readonly bigint[], formatVersion: 2 | 3 = 3): TableMetadata {
  let table = applyUpdates(null, creation(undefined, formatVersion), { nowMs: T0, previousMetadataLocation: null });
  ids.forEach((id, i) => {
    const previousMetadataLocation = `/lake/shop/orders/metadata/0000${i}-a.metadata.json`;
    table = applyUpdates(table, appended(snapshotOn(table, id)), { nowMs: T0, previousMetadataLocation });
  });
  return table;
}
