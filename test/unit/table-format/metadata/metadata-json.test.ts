import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { parseTableMetadata, tableMetadataBytes } from "../../../../table-format/metadata/metadata-json.ts";
import type { TableMetadata } from "../../../../table-format/metadata/table-metadata.ts";
import { BIG, T0, tableWith } from "./fixture.ts";

const NAME = "/t/metadata/00001-x.metadata.json";
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (table: TableMetadata): string => new TextDecoder().decode(tableMetadataBytes(table));

/** Java 1.11's file for a v2 table with one append, shortened. */
const JAVA_V2 = `{
  "format-version" : 2,
  "table-uuid" : "9c12d441-03fe-4693-9a96-a0705ddf69c1",
  "location" : "s3://bucket/test/location",
  "last-sequence-number" : 34,
  "last-updated-ms" : 1602638573590,
  "last-column-id" : 3,
  "current-schema-id" : 1,
  "schemas" : [ {
    "type" : "struct", "schema-id" : 0, "fields" : [ { "id" : 1, "name" : "x", "required" : true, "type" : "long" } ]
  }, {
    "type" : "struct", "schema-id" : 1, "identifier-field-ids" : [ 1, 2 ],
    "fields" : [ { "id" : 1, "name" : "x", "required" : true, "type" : "long" },
      { "id" : 2, "name" : "y", "required" : true, "type" : "long", "doc" : "comment" },
      { "id" : 3, "name" : "z", "required" : true, "type" : "long" } ]
  } ],
  "default-spec-id" : 0,
  "partition-specs" : [ { "spec-id" : 0, "fields" : [ { "name" : "x", "transform" : "identity", "source-id" : 1, "field-id" : 1000 } ] } ],
  "last-partition-id" : 1000,
  "default-sort-order-id" : 3,
  "sort-orders" : [ { "order-id" : 3, "fields" : [
    { "transform" : "identity", "source-id" : 2, "direction" : "asc", "null-order" : "nulls-first" },
    { "transform" : "bucket[4]", "source-id" : 3, "direction" : "desc", "null-order" : "nulls-last" } ] } ],
  "properties" : { "read.split.target.size" : "134217728" },
  "current-snapshot-id" : 3055729675574597004,
  "refs" : { "main" : { "snapshot-id" : 3055729675574597004, "type" : "branch" },
    "foo" : { "snapshot-id" : 3055729675574597004, "type" : "branch", "min-snapshots-to-keep" : 4, "max-snapshot-age-ms" : 900 } },
  "snapshots" : [ { "snapshot-id" : 3051729675574597004, "timestamp-ms" : 1515100955770, "sequence-number" : 0,
      "summary" : { "operation" : "append" }, "manifest-list" : "s3://a/b/1.avro" },
    { "snapshot-id" : 3055729675574597004, "parent-snapshot-id" : 3051729675574597004, "timestamp-ms" : 1555100955770,
      "sequence-number" : 1, "summary" : { "operation" : "append" }, "manifest-list" : "s3://a/b/2.avro", "schema-id" : 1 } ],
  "statistics" : [ { "snapshot-id" : 3055729675574597004, "statistics-path" : "s3://a/b/stats.puffin", "file-size-in-bytes" : 413,
      "file-footer-size-in-bytes" : 42, "blob-metadata" : [ { "type" : "ndv", "snapshot-id" : 3055729675574597004, "sequence-number" : 1, "fields" : [ 1 ] } ] } ],
  "partition-statistics" : [ ],
  "snapshot-log" : [ { "snapshot-id" : 3051729675574597004, "timestamp-ms" : 1515100955770 },
    { "snapshot-id" : 3055729675574597004, "timestamp-ms" : 1555100955770 } ],
  "metadata-log" : [ { "metadata-file" : "s3://bucket/.../v1.json", "timestamp-ms" : 1515100 } ]
}`;

describe("what others wrote", () => {
  test("keeps every id and every unknown field over a round trip", () => {
    const table = parseTableMetadata(bytes(JAVA_V2), NAME);
    expect(table.currentSnapshotId).toBe(3055729675574597004n);
    expect(table.refs.get("foo")).toEqual({
      snapshotId: 3055729675574597004n,
      type: "branch",
      minSnapshotsToKeep: 4,
      maxSnapshotAgeMs: 900n,
    });
    expect([...table.unknownFields.keys()]).toEqual(["statistics", "partition-statistics"]);
    const again = parseTableMetadata(tableMetadataBytes(table), NAME);
    expect(again).toEqual(table);
    const members = (json: string): unknown => JSON.parse(json.replace(/\d{16,}/g, '"$&"'));
    expect(members(text(table))).toEqual(members(JAVA_V2));
  });

  test("reads version 1 in its oldest form, and does not write it", () => {
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
    expect(() => tableMetadataBytes(table)).toThrow(/read only/);
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
