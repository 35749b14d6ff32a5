import { describe, expect, test } from "vitest";
import { applyUpdates, checkRequirements, forgottenFiles } from "../../../../table-format/metadata/apply.ts";
import { isAncestor, refSnapshot, snapshotAsOf } from "../../../../table-format/metadata/refs.ts";
import type { TableMetadata } from "../../../../table-format/metadata/table-metadata.ts";
import type { TableRequirement, TableUpdate } from "../../../../table-format/metadata/updates.ts";
import { addColumns, widenField } from "../../../../table-format/schema/evolve.ts";
import { appended, BIG, creation, schema, snapshotOn, T0, tableWith } from "./fixture.ts";

const then = (table: TableMetadata | null, updates: readonly TableUpdate[], nowMs = T0): TableMetadata =>
  applyUpdates(table, updates, { nowMs, previousMetadataLocation: table === null ? null : "/m/previous.json" });

describe("creation", () => {
  test("brings everything a table needs", () => {
    const table = then(null, creation());
    expect(table).toMatchObject({
      formatVersion: 3,
      lastColumnId: 3,
      currentSchemaId: 0,
      defaultSpecId: 0,
      lastPartitionId: 1000,
      currentSnapshotId: null,
      nextRowId: 0n,
      lastUpdatedMs: T0,
      metadataLog: [],
    });
  });

  test.each(["assign-uuid", "set-location", "set-current-schema", "set-default-spec", "set-default-sort-order"])(
    "fails without %s",
    (action) => {
      expect(() =>
        then(
          null,
          creation().filter((update) => update.action !== action),
        ),
      ).toThrow(expect.objectContaining({ kind: "data" }));
    },
  );
});

test("metadata files are told to be compressed in no way that nobody reads", () => {
  const set = (codec: string) =>
    then(tableWith([]), [
      { action: "set-properties", updates: new Map([["write.metadata.compression-codec", codec]]) },
    ]);
  for (const codec of ["none", "gzip", "GZIP"]) expect(set(codec).properties.size).toBe(1);
  expect(() => set("zstd")).toThrow(/compression-codec is "zstd", expected none or gzip/);
});

describe("snapshots", () => {
  const table = tableWith([1n, BIG]);

  test("main, sequence numbers, row ids and logs move together", () => {
    const next = then(table, appended(snapshotOn(table, 3n, { addedRows: 7n })));
    expect(next.currentSnapshotId).toBe(3n);
    expect(next.lastSequenceNumber).toBe(3n);
    expect(next.nextRowId).toBe(7n);
    expect(next.snapshotLog.map((entry) => entry.snapshotId)).toEqual([1n, BIG, 3n]);
    expect(next.metadataLog.at(-1)).toEqual({ timestampMs: table.lastUpdatedMs, metadataFile: "/m/previous.json" });
    expect(isAncestor(next, 1n, 3n)).toBe(true);
    expect(isAncestor(next, 3n, 1n)).toBe(false);
  });

  test.each([
    ["an old sequence number", { sequenceNumber: 2n }, "conflict"],
    ["an old first row id", { firstRowId: -1n }, "conflict"],
    ["no row ids in v3", { firstRowId: null }, "conflict"],
    ["an id that is there", { snapshotId: 1n }, "conflict"],
    ["an unknown schema", { schemaId: 9 }, "conflict"],
    ["a time that goes back by over a minute", { timestampMs: T0 - 60_001n }, "conflict"],
    ["no operation", { summary: new Map() }, "data"],
    ["no manifest list", { manifestList: "" }, "data"],
    ["an id beyond 64 bits", { snapshotId: 2n ** 63n }, "data"],
  ])("refuses %s", (_name, fields, kind) => {
    expect(() => then(table, appended(snapshotOn(table, 3n, fields)))).toThrow(expect.objectContaining({ kind }));
  });

  test("a snapshot prepared for version 2 does not land after an upgrade", () => {
    const two = tableWith([1n], 2);
    const prepared = appended(snapshotOn(two, 2n));
    expect(then(two, prepared).currentSnapshotId).toBe(2n);
    const three = then(two, [{ action: "upgrade-format-version", formatVersion: 3 }]);
    expect(() => then(three, prepared)).toThrow(expect.objectContaining({ kind: "conflict" }));
    expect(() => then(three, [{ action: "upgrade-format-version", formatVersion: 2 }])).toThrow(/cannot be lowered/);
  });

  test("a rollback is logged at its own time, so that time travel sees it", () => {
    const later = T0 + 500_000n;
    const back = then(
      table,
      [{ action: "set-snapshot-ref", name: "main", ref: { type: "branch", snapshotId: 1n } }],
      later,
    );
    expect(snapshotAsOf(back, later - 1n)?.snapshotId).toBe(BIG);
    expect(snapshotAsOf(back, later)?.snapshotId).toBe(1n);
    expect(snapshotAsOf(back, T0 - 1n)).toBeNull();
  });

  test("refs are checked", () => {
    const ref = (name: string, value: object): TableUpdate[] => [
      { action: "set-snapshot-ref", name, ref: { type: "tag", snapshotId: 1n, ...value } },
    ];
    expect(refSnapshot(then(table, ref("ingest.orders", {})), "ingest.orders")?.snapshotId).toBe(1n);
    expect(() => then(table, ref("x", { snapshotId: 99n }))).toThrow(expect.objectContaining({ kind: "conflict" }));
    expect(() => then(table, ref("main", {}))).toThrow(/main must be a branch/);
    expect(() => then(table, ref("x", { minSnapshotsToKeep: 1 }))).toThrow(/belong to branches/);
  });
});

describe("expiry", () => {
  const statistics = [{ "snapshot-id": 1n }, { "snapshot-id": BIG }];
  const table: TableMetadata = { ...tableWith([1n, BIG, 3n]), unknownFields: new Map([["statistics", statistics]]) };

  test("cuts the history up to the last expired snapshot and drops its statistics", () => {
    const next = then(table, [{ action: "remove-snapshots", snapshotIds: [BIG] }]);
    expect(next.snapshots.map((snapshot) => snapshot.snapshotId)).toEqual([1n, 3n]);
    expect(next.snapshotLog.map((entry) => entry.snapshotId)).toEqual([3n]);
    expect(next.unknownFields.get("statistics")).toEqual([{ "snapshot-id": 1n }]);
    expect(isAncestor(next, 1n, 3n)).toBe(false);
  });

  test("never leaves a ref dangling", () => {
    const tagged = then(table, [{ action: "set-snapshot-ref", name: "t", ref: { type: "tag", snapshotId: 1n } }]);
    const remove: TableUpdate = { action: "remove-snapshots", snapshotIds: [1n] };
    expect(() => then(tagged, [remove])).toThrow(expect.objectContaining({ kind: "conflict" }));
    expect(() => then(tagged, [{ action: "remove-snapshots", snapshotIds: [3n] }])).toThrow(/ref main names it/);
    const both = then(tagged, [remove, { action: "remove-snapshot-ref", name: "t" }]);
    expect(both.snapshots.map((snapshot) => snapshot.snapshotId)).toEqual([BIG, 3n]);
  });

  test("the metadata log is trimmed, and files may go only where the table says so", () => {
    const max: TableUpdate = {
      action: "set-properties",
      updates: new Map([["write.metadata.previous-versions-max", "2"]]),
    };
    const next = then(table, [max]);
    expect(next.metadataLog.map((entry) => entry.metadataFile)).toEqual([
      "/lake/shop/orders/metadata/00002-a.metadata.json",
      "/m/previous.json",
    ]);
    expect(forgottenFiles(table, next)).toEqual([]);
    const deleting = new Map([["write.metadata.delete-after-commit.enabled", "true"]]);
    const allowed = then(table, [max, { action: "set-properties", updates: deleting }]);
    expect(forgottenFiles(table, allowed)).toEqual([
      "/lake/shop/orders/metadata/00000-a.metadata.json",
      "/lake/shop/orders/metadata/00001-a.metadata.json",
    ]);
  });
});

describe("layout", () => {
  const table = tableWith([1n]);

  test("an equal schema keeps its id, a new one gets the next; -1 names it", () => {
    const wider = addColumns(schema, table.lastColumnId, [{ name: "note", type: { kind: "string" } }]);
    const add = (update: typeof wider): TableUpdate[] => [
      { action: "add-schema", ...update },
      { action: "set-current-schema", schemaId: -1 },
    ];
    const evolved = then(table, add(wider));
    expect([evolved.currentSchemaId, evolved.lastColumnId, evolved.schemas.length]).toEqual([1, 4, 2]);
    const back = then(evolved, add({ schema: { ...schema, schemaId: 7 }, lastColumnId: 3 }));
    expect([back.currentSchemaId, back.lastColumnId, back.schemas.length]).toEqual([0, 4, 2]);
  });

  test("an equal field of a new spec keeps its id, others count on", () => {
    const spec = {
      specId: 9,
      fields: [
        { sourceId: 1, fieldId: 1000, name: "id_bucket", transform: "bucket[4]" },
        { sourceId: 2, fieldId: 1001, name: "day", transform: "day" },
      ],
    };
    const next = then(table, [
      { action: "add-spec", spec },
      { action: "set-default-spec", specId: -1 },
    ]);
    expect(next.defaultSpecId).toBe(1);
    expect(next.partitionSpecs[1]?.fields.map((field) => field.fieldId)).toEqual([1001, 1000]);
    expect(next.lastPartitionId).toBe(1001);
  });

  test("what would make the table unreadable is refused", () => {
    const set = (next: typeof schema): TableUpdate[] => [
      { action: "add-schema", schema: next, lastColumnId: 3 },
      { action: "set-current-schema", schemaId: -1 },
    ];
    const without = { ...schema, fields: schema.fields.filter((field) => field.name !== "at") };
    expect(() => then(table, set(without))).toThrow(/does not fit the partition spec/);
    const twice = { ...schema, fields: [...schema.fields, { ...schema.fields[0]!, name: "other" }] };
    expect(() => then(table, set(twice))).toThrow(/share field id 1/);
    const nanos = addColumns(schema, 3, [{ name: "ns", type: { kind: "timestamp_ns" } }]);
    expect(() => then(tableWith([], 2), set(nanos.schema))).toThrow(/needs format version 3/);
    expect(then(table, set(nanos.schema)).currentSchemaId).toBe(1);
    const wide = widenField(schema, "total", { kind: "decimal", precision: 20, scale: 2 }, 3);
    expect(then(table, set(wide)).currentSchemaId).toBe(1);
    expect(() => then(table, [{ action: "set-current-schema", schemaId: -1 }])).toThrow(/no add-schema before it/);
    expect(() => then(table, [{ action: "assign-uuid", uuid: "other" }])).toThrow(/cannot be changed/);
    const reserved = new Map([["format-version", "2"]]);
    expect(() => then(table, [{ action: "set-properties", updates: reserved }])).toThrow(/reserved/);
  });
});

test("requirements", () => {
  const table = tableWith([1n]);
  const met: TableRequirement[] = [
    { type: "assert-table-uuid", uuid: table.tableUuid.toUpperCase() },
    { type: "assert-ref-snapshot-id", ref: "main", snapshotId: 1n },
    { type: "assert-ref-snapshot-id", ref: "none", snapshotId: null },
    { type: "assert-last-assigned-field-id", lastAssignedFieldId: 3 },
    { type: "assert-current-schema-id", currentSchemaId: 0 },
    { type: "assert-last-assigned-partition-id", lastAssignedPartitionId: 1000 },
    { type: "assert-default-spec-id", defaultSpecId: 0 },
    { type: "assert-default-sort-order-id", defaultSortOrderId: 0 },
  ];
  expect(checkRequirements(table, met)).toBeNull();
  expect(checkRequirements(null, [{ type: "assert-create" }])).toBeNull();
  const unmet: TableRequirement[] = [
    { type: "assert-create" },
    { type: "assert-table-uuid", uuid: "other" },
    { type: "assert-ref-snapshot-id", ref: "main", snapshotId: null },
    { type: "assert-ref-snapshot-id", ref: "none", snapshotId: 1n },
    { type: "assert-last-assigned-field-id", lastAssignedFieldId: 4 },
    { type: "assert-current-schema-id", currentSchemaId: 1 },
    { type: "assert-last-assigned-partition-id", lastAssignedPartitionId: 999 },
    { type: "assert-default-spec-id", defaultSpecId: 1 },
    { type: "assert-default-sort-order-id", defaultSortOrderId: 1 },
  ];
  for (const requirement of unmet) expect(checkRequirements(table, [...met, requirement])).toBe(requirement);
  for (const requirement of met) expect(checkRequirements(null, [requirement])).toBe(requirement);
});
