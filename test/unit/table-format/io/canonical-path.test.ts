import fc from "fast-check";
import { expect, it } from "vitest";
import { canonicalPath, isWithin } from "../../../../table-format/io/canonical-path.ts";
import { isNestedMetadata, shapeOf, versionOf } from "../../../../src/maintenance/clean-orphans/shape.ts";

it("takes the spellings of one location for equal", () => {
  const equal = [
    ["s3://lake/w/t/data/a.parquet", "s3a://lake/w/t/data/a.parquet", "s3n://lake//w/t/./data/a.parquet"],
    ["/lake/t/a", "file:/lake/t/a", "file:///lake/t/a", "file://localhost/lake/t/a", "/lake//t/a/"],
    ["/t/day=a%3Ab/x", "/t/day=a:b/x", "/t/day=a%253Ab/x"],
    ["/t/u\u0308", "/t/ü", "/t/%C3%BC"],
  ];
  for (const [first = "", ...others] of equal) {
    for (const other of others) expect(canonicalPath(other)).toBe(canonicalPath(first));
  }
  expect(canonicalPath("s3://lake/w/a")).not.toBe(canonicalPath("s3://lake/w/b"));
  expect(canonicalPath("/t/100%")).toBe("/t/100%");
});

it("keeps a listed file when the metadata spells it percent-encoded, with another scheme or with double slashes", () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[ -.0-~äß€]{1,8}$/), { minLength: 1, maxLength: 5 }), (parts) => {
      fc.pre(parts.every((part) => part !== "." && part !== ".." && !part.includes("%")));
      const listed = `s3://lake/${parts.join("/")}`;
      expect(canonicalPath(`s3a://lake/${parts.map(encodeURIComponent).join("//")}`)).toBe(canonicalPath(listed));
    }),
  );
});

it("tells folders apart by bucket, and a folder from one whose name begins alike", () => {
  expect(isWithin("s3://lake/w/a", "s3a://lake/w/a/b/")).toBe(true);
  expect(isWithin("s3://lake/w/a", "s3://lake/w/a")).toBe(true);
  expect(isWithin("s3://lake/w/a", "s3://lake/w/ab")).toBe(false);
  expect(isWithin("s3://lake/w/a", "s3://other/w/a")).toBe(false);
  expect(isWithin("/w/a", "file:///w/a/data")).toBe(true);
});

it("knows what Iceberg writers put below a table, and nothing else", () => {
  const kinds = (paths: readonly string[]) => paths.map((path) => shapeOf(path)?.kind ?? null);
  expect(
    kinds([
      "data/p=1/orders-e0000000001-c000000000001-w00-0000-0123abcd.parquet",
      "data/orders-e0000000001-c000000000001-pd-0000-0123abcd.parquet",
      "data/orders-e0000000001-c000000000001-dv-0123abcd.puffin",
      "data/00000-4-0bcf5e2b-00001-deletes.parquet",
      "data/_hidden=1/x.orc",
      "metadata/orders-e0000000001-c000000000001-a0-m0-0123abcd.avro",
      "metadata/snap-12-a0-0123abcd.avro",
      "metadata/00012-0bcf5e2b-8b41-4590-a908-07c4f6465df6.metadata.json",
      "metadata/00012-0bcf5e2b.gz.metadata.json",
      "metadata/v12.metadata.json",
      "metadata/v13.gz.metadata.json",
      "metadata/20261121-0bcf5e2b.stats",
    ]),
  ).toEqual([
    "dataFiles",
    "deleteFiles",
    "deleteFiles",
    "deleteFiles",
    "dataFiles",
    "manifests",
    "manifestLists",
    "metadataFiles",
    "metadataFiles",
    "metadataFiles",
    "metadataFiles",
    "statistics",
  ]);
  const left = [
    "_ingest/orders/ledger.json",
    "metadata/version-hint.text",
    "metadata/deep/snap-1.avro",
    "metadata/.crc",
    "data/_temporary/0/part.parquet",
    "data/.part.parquet",
    "data/README.md",
    "part.parquet",
    "dataset/part.parquet",
  ];
  expect(kinds(left)).toEqual(left.map(() => null));
  expect(versionOf("s3://l/t/metadata/00012-0bcf.metadata.json")).toBe(12);
  expect(versionOf("s3://l/t/metadata/v7.metadata.json")).toBe(7);
  for (const name of ["v7.metadata.json", "v7.gz.metadata.json"]) expect(shapeOf(`metadata/${name}`)?.copy).toBe(7);
  expect(isNestedMetadata("metadata/00000-x.metadata.json")).toBe(false);
  expect(isNestedMetadata("data/other/metadata/00000-x.metadata.json")).toBe(true);
});
