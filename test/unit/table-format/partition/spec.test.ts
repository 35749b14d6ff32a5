import { expect, test } from "vitest";
import { partitionPath } from "../../../../table-format/partition/path.ts";
import { bindSpec, parsePartitionBy } from "../../../../table-format/partition/spec.ts";
import { partitionTuple, tupleKey } from "../../../../table-format/partition/tuple.ts";
import { newSchema } from "../../../../table-format/schema/schema.ts";
import type { Column } from "../../../../table-format/arrow/column.ts";

const schema = newSchema(
  [
    { name: "id", type: { kind: "long" }, required: true },
    { name: "created_at", type: { kind: "timestamptz" }, required: false },
    { name: "region", type: { kind: "string" }, required: false },
    { name: "total", type: { kind: "decimal", precision: 18, scale: 2 }, required: false },
    { name: "score", type: { kind: "double" }, required: false },
  ],
  ["id"],
);

test("reads the forms of partition_by and names fields as Java does", () => {
  const spec = parsePartitionBy([" Day( created_at )", "bucket(16, id)", "truncate(4,region)", "total"], schema);
  expect(spec).toEqual({
    specId: 0,
    fields: [
      { sourceId: 2, fieldId: 1000, name: "created_at_day", transform: "day" },
      { sourceId: 1, fieldId: 1001, name: "id_bucket", transform: "bucket[16]" },
      { sourceId: 3, fieldId: 1002, name: "region_trunc", transform: "truncate[4]" },
      { sourceId: 4, fieldId: 1003, name: "total", transform: "identity" },
    ],
  });
  expect(bindSpec(spec, schema).map((bound) => bound.resultType.kind)).toEqual(["date", "int", "string", "decimal"]);
});

test.each([
  ["day(nope)", /column "nope" does not exist/],
  ["days(created_at)", /transform days is not known/],
  ["bucket(0, id)", /bucket\[0\] is not known/],
  ["bucket(4, score)", /does not take double/],
  ["hour(region)", /does not take string/],
])("refuses %s", (expression, message) => {
  expect(() => parsePartitionBy([expression], schema)).toThrow(message);
});

test("refuses two transforms of one kind on one column", () => {
  expect(() => parsePartitionBy(["day(created_at)", "hour(created_at)"], schema)).toThrow(/already partitioned/);
  expect(parsePartitionBy(["bucket(4, region)", "region"], schema).fields).toHaveLength(2);
});

test("paths are Hive style, encoded as Java encodes them", () => {
  const spec = parsePartitionBy(["day(created_at)", "bucket(16, id)", "region", "total"], schema);
  expect(partitionPath(spec, schema, [-1, 3, "a b/c=ü'*", -1234n])).toBe(
    "created_at_day=1969-12-31/id_bucket=3/region=a+b%2Fc%3D%C3%BC%27*/total=-12.34",
  );
  expect(partitionPath(spec, schema, [null, null, null, null])).toBe(
    "created_at_day=null/id_bucket=null/region=null/total=null",
  );
  expect(partitionPath({ specId: 0, fields: [] }, schema, [])).toBe("");
  const hours = parsePartitionBy(["hour(created_at)"], schema);
  expect(partitionPath(hours, schema, [420034])).toBe("created_at_hour=2017-12-01-10");
  expect(partitionPath(hours, schema, [-1])).toBe("created_at_hour=1969-12-31-23");
  const identity = parsePartitionBy(["created_at"], schema);
  expect(partitionPath(identity, schema, [1_512_151_975_038_194n])).toBe(
    "created_at=2017-12-01T18%3A12%3A55.038194%2B00%3A00",
  );
  const long = partitionPath(parsePartitionBy(["region"], schema), schema, ["ü".repeat(500)]);
  expect(long.length).toBeLessThanOrEqual(200);
  expect(() => decodeURIComponent(long)).not.toThrow();
});

test("tuples are read from columns, and their keys tell values apart", () => {
  const spec = parsePartitionBy(["day(created_at)", "region"], schema);
  const base = { length: 2, nullCount: 0, validity: null };
  const columns: Column[] = [
    { ...base, layout: "i64", type: { kind: "long" }, values: BigInt64Array.of(1n, 2n) },
    { ...base, layout: "i64", type: { kind: "timestamptz" }, values: BigInt64Array.of(-1n, 86_400_000_000n) },
    {
      ...base,
      layout: "bytes",
      type: { kind: "string" },
      offsets: Int32Array.of(0, 2, 2),
      values: Buffer.from("eu"),
      nullCount: 1,
      validity: Uint8Array.of(0b01),
    },
  ];
  expect(partitionTuple(spec, schema, columns, 0)).toEqual([-1, "eu"]);
  expect(partitionTuple(spec, schema, columns, 1)).toEqual([1, null]);
  const keys = [[null], ["n"], ["1"], [1], [0], [-0], [NaN], [Uint8Array.of(1)], ["a|s1:b"], ["a", "b"]].map(tupleKey);
  expect(new Set(keys).size).toBe(keys.length);
  expect(tupleKey([5])).toBe(tupleKey([5n]));
});
