import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { tableMetadataBytes } from "../../../../table-format/metadata/metadata-bytes.ts";
import { parseTableMetadata } from "../../../../table-format/metadata/metadata-json.ts";
import { ancestors } from "../../../../table-format/metadata/refs.ts";
import type { TableMetadata } from "../../../../table-format/metadata/table-metadata.ts";
import { BIG, T0, tableWith } from "./fixture.ts";

const NAME = "/t/metadata/00001-x.metadata.json";
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (table: TableMetadata): string => new TextDecoder().decode(tableMetadataBytes(table));

describe("what others wrote", () => {
  test("keeps fields that it does not know", () => {
    const json = new TextDecoder().decode(tableMetadataBytes(tableWith([1n])));
    const newer = json.replace('"snapshot-log":', '"tomorrow":{"id":9223372036854775807},"snapshot-log":');
    const table = parseTableMetadata(bytes(newer), NAME);
    expect(table.unknownFields).toEqual(new Map([["tomorrow", { id: 9223372036854775807n }]]));
    expect(text(table)).toBe(newer);
  });

  test("reads version 1 in its oldest form, and writes what old and new readers look for", () => {
    const v1 = `{"format-version":1,"location":"s3://b/t","last-updated-ms":1602638573874,"last-column-id":1,
      "schema":{"type":"struct","fields":[{"id":1,"name":"x","required":true,"type":"long"}]},
      "partition-spec":[{"name":"x","transform":"identity","source-id":1}],"properties":{},
      "current-snapshot-id":-1,"snapshots":[{"snapshot-id":1,"timestamp-ms":1515100955770,"manifests":["a"]}]}`;
    const table = parseTableMetadata(bytes(v1), NAME);
    expect(table).toMatchObject({
      formatVersion: 1,
      currentSnapshotId: null,
      lastPartitionId: 1000,
      defaultSortOrderId: 0,
    });
    expect(table.partitionSpecs[0]?.fields[0]?.fieldId).toBe(1000);
    const written = JSON.parse(text(table)) as Record<string, unknown>;
    expect(written).toMatchObject({
      "format-version": 1,
      schema: { fields: [{ id: 1, name: "x", required: true, type: "long" }] },
      schemas: [{ "schema-id": 0 }],
      "partition-spec": [{ name: "x", transform: "identity", "source-id": 1, "field-id": 1000 }],
      "partition-specs": [{ "spec-id": 0 }],
      "current-snapshot-id": -1,
      snapshots: [{ "snapshot-id": 1, manifests: ["a"] }],
    });
    for (const later of ["table-uuid", "last-sequence-number", "next-row-id"])
      expect(written).not.toHaveProperty(later);
    expect(written["snapshots"]).not.toHaveProperty([0, "sequence-number"]);
    expect(parseTableMetadata(bytes(text(table)), NAME)).toEqual(table);
  });

  test("the name decides about compression", () => {
    const plain = tableMetadataBytes(tableWith([1n]));
    const expected = parseTableMetadata(plain, NAME);
    for (const name of ["00001-x.gz.metadata.json", "v1.metadata.json.gz"]) {
      expect(parseTableMetadata(gzipSync(plain), name)).toEqual(expected);
      expect(() => parseTableMetadata(plain, name)).toThrow(expect.objectContaining({ kind: "corrupt" }));
    }
    expect(() => parseTableMetadata(gzipSync(plain), NAME)).toThrow(expect.objectContaining({ kind: "corrupt" }));
  });
});

describe("what we write", () => {
  const table = tableWith([1n, BIG, 2n ** 63n - 1n]);

  test("reads back equal, 64-bit ids included", () => {
    expect(parseTableMetadata(tableMetadataBytes(table), NAME)).toEqual(table);
    expect(text(table)).toContain('"current-snapshot-id":9223372036854775807');
    expect(text(table)).toContain('"next-row-id":0');
  });

  test("a table without snapshots says so as Java does", () => {
    expect(text(tableWith([]))).toContain('"current-snapshot-id":null');
    expect(text(tableWith([], 2))).toContain('"current-snapshot-id":-1');
    expect(text(tableWith([], 2))).not.toContain("next-row-id");
    for (const version of [2, 3] as const) {
      expect(parseTableMetadata(tableMetadataBytes(tableWith([], version)), NAME).currentSnapshotId).toBeNull();
    }
  });
});

describe("what Java would refuse is refused", () => {
  const table = tableWith([1n, 2n]);
  const snapshot = table.snapshots[0]!;
  test.each<[string, Partial<TableMetadata>]>([
    ["main is not the current snapshot", { currentSnapshotId: 1n }],
    ["a ref dangles", { refs: new Map([...table.refs, ["t", { snapshotId: 9n, type: "tag" }]]) }],
    ["the current schema is missing", { currentSchemaId: 5 }],
    ["the default spec is missing", { defaultSpecId: 5 }],
    ["the default sort order is missing", { defaultSortOrderId: 5 }],
    ["a sequence number is too high", { lastSequenceNumber: 1n }],
    [
      "the snapshot log goes back",
      { snapshotLog: [...table.snapshotLog, { timestampMs: T0 - 90_000n, snapshotId: 1n }] },
    ],
    ["the last change is too old", { lastUpdatedMs: T0 - 90_000n }],
    ["a snapshot stands twice", { snapshots: [...table.snapshots, snapshot] }],
  ])("%s", (_name, fields) => {
    const broken = tableMetadataBytes({ ...table, ...fields });
    expect(() => parseTableMetadata(broken, NAME)).toThrow(expect.objectContaining({ kind: "corrupt" }));
  });

  test("versions to come, encrypted tables, missing fields, each by name", () => {
    const edited = (from: string, to: string): Uint8Array => bytes(text(table).replace(from, to));
    expect(() => parseTableMetadata(edited('"format-version":3', '"format-version":4'), NAME)).toThrow(
      expect.objectContaining({
        kind: "unsupported",
        message: `${NAME}: format version 4: this version of frazil reads 1 to 3`,
      }),
    );
    expect(() => parseTableMetadata(edited('"refs":', '"encryption-keys":[{}],"refs":'), NAME)).toThrow(/encrypted/);
    expect(() => parseTableMetadata(edited('"next-row-id":0,', ""), NAME)).toThrow(
      /next-row-id: expected a 64-bit integer, found nothing/,
    );
    expect(() => parseTableMetadata(edited('"last-column-id":3', '"last-column-id":"3"'), NAME)).toThrow(
      /last-column-id: expected a 32-bit integer, found "3"/,
    );
    expect(() => parseTableMetadata(bytes("{"), NAME)).toThrow(/00001-x.metadata.json: offset 1/);
  });
});

test("a snapshot whose parents lead back to itself is an error, not an endless walk", () => {
  const table = tableWith([1n, 2n]);
  const snapshots = table.snapshots.map((each) => ({ ...each, parentSnapshotId: each.snapshotId === 1n ? 2n : 1n }));
  expect(() => [...ancestors({ ...table, snapshots }, 2n)]).toThrow("snapshot 2: its parents lead back to themselves");
});
