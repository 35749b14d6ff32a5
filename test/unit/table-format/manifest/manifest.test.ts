import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeAvroFile } from "../../../../table-format/avro/container.ts";
import type {
  DataFile,
  PartitionSpec,
  PrimitiveType,
  Schema,
  TableMetadata,
  Value,
} from "../../../../table-format/index.ts";
import type { ManifestFile, WrittenEntry } from "../../../../table-format/manifest/manifest-file.ts";
import { encodeManifestList, parseManifestList } from "../../../../table-format/manifest/manifest-list.ts";
import { parseManifest, schemasCurrentFirst } from "../../../../table-format/manifest/manifest-reader.ts";
import { writeManifest } from "../../../../table-format/manifest/manifest-writer.ts";
import { dataFile } from "../data-file.ts";
import { tableMetadata } from "../metadata.ts";

const bytes = (length?: number) =>
  fc.uint8Array(length === undefined ? { maxLength: 20 } : { minLength: length, maxLength: length });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const columns: readonly (readonly [PrimitiveType, fc.Arbitrary<Value>])[] = [
  [{ kind: "boolean" }, fc.boolean()],
  [{ kind: "int" }, fc.integer()],
  [{ kind: "long" }, int64],
  [{ kind: "float" }, fc.float()],
  [{ kind: "double" }, fc.double()],
  [{ kind: "date" }, fc.integer({ min: -100_000, max: 100_000 })],
  [{ kind: "time" }, fc.bigInt({ min: 0n, max: 86_399_999_999n })],
  [{ kind: "timestamp" }, int64],
  [{ kind: "timestamptz" }, int64],
  [{ kind: "timestamp_ns" }, int64],
  [{ kind: "timestamptz_ns" }, int64],
  [{ kind: "string" }, fc.string({ maxLength: 12 })],
  [{ kind: "uuid" }, bytes(16)],
  [{ kind: "fixed", length: 5 }, bytes(5)],
  [{ kind: "binary" }, bytes()],
  [{ kind: "decimal", precision: 9, scale: 2 }, fc.bigInt({ min: -(10n ** 9n - 1n), max: 10n ** 9n - 1n })],
  [{ kind: "decimal", precision: 38, scale: 0 }, fc.bigInt({ min: -(10n ** 38n - 1n), max: 10n ** 38n - 1n })],
];

/** A table partitioned by the identity of every column above, twice for some: Avro may define a fixed type only once. */
const sources = [...columns, columns[12]!, columns[15]!];
const schema: Schema = {
  schemaId: 3,
  fields: sources.map(([type], i) => ({ id: i + 1, name: `c${i}`, required: false, type })),
  identifierFieldIds: [],
};
const spec: PartitionSpec = {
  specId: 7,
  fields: sources.map((_, i) => ({
    sourceId: i + 1,
    fieldId: 1000 + i,
    name: i === 0 ? "2 odd.näme" : `p${i}`,
    transform: "identity",
  })),
};
const metadata = tableMetadata({ schemas: [schema], currentSchemaId: 3, partitionSpecs: [spec], defaultSpecId: 7 });

const longMap = fc.option(
  fc
    .array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.bigInt({ min: 0n, max: 2n ** 60n })))
    .map((pairs) => new Map(pairs)),
);
const boundMap = fc.option(fc.array(fc.tuple(fc.integer({ min: 1, max: 50 }), bytes())).map((pairs) => new Map(pairs)));
const file: fc.Arbitrary<DataFile> = fc.record({
  content: fc.constant("data" as const),
  filePath: fc.string({ minLength: 1 }),
  fileFormat: fc.constantFrom("PARQUET" as const, "AVRO" as const, "ORC" as const),
  specId: fc.constant(7),
  partition: fc.tuple(...sources.map(([, value]) => fc.option(value))),
  recordCount: fc.bigInt({ min: 1n, max: 2n ** 40n }),
  fileSizeBytes: fc.bigInt({ min: 1n, max: 2n ** 40n }),
  columnSizes: longMap,
  valueCounts: longMap,
  nullValueCounts: longMap,
  nanValueCounts: longMap,
  lowerBounds: boundMap,
  upperBounds: boundMap,
  keyMetadata: fc.option(bytes()),
  splitOffsets: fc.option(fc.array(fc.bigInt({ min: 0n, max: 2n ** 40n }))),
  equalityIds: fc.option(fc.array(fc.integer({ min: 1, max: 99 }))),
  sortOrderId: fc.option(fc.nat(5)),
  firstRowId: fc.bigInt({ min: 0n, max: 2n ** 50n }),
  referencedDataFile: fc.option(fc.string()),
  contentOffset: fc.option(fc.bigInt({ min: 0n, max: 2n ** 40n })),
  contentSizeBytes: fc.option(fc.bigInt({ min: 0n, max: 2n ** 40n })),
});
const entry: fc.Arbitrary<WrittenEntry> = fc.record({
  status: fc.constantFrom("existing" as const, "deleted" as const),
  snapshotId: fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }),
  sequenceNumber: fc.bigInt({ min: 0n, max: 2n ** 40n }),
  fileSequenceNumber: fc.bigInt({ min: 0n, max: 2n ** 40n }),
  file,
});

/** Bytes of whatever class compare by content; -0 is not 0. */
const plain = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString("hex")}`;
  if (value instanceof Map) return [...value].map(plain);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
  }
  return value;
};

const options = (formatVersion: 2 | 3, of: TableMetadata = metadata) => ({
  location: "mem://t/metadata/m.avro",
  formatVersion,
  content: "data" as const,
  spec: of.partitionSpecs[0]!,
  schemas: schemasCurrentFirst(of),
  snapshotId: 99n,
  sequenceNumber: 12n,
});

test("what is written is read, for every partition type", () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 8 }), (entries) => {
      const { bytes: written, manifest } = writeManifest(options(3), entries);
      const read = parseManifest(written, metadata, { ...manifest, firstRowId: 0n });
      expect(plain(read)).toEqual(plain(entries));
    }),
    { numRuns: 100 },
  );
});

test("the manifest list comes back as it was written", () => {
  fc.assert(
    fc.property(
      fc.array(entry, { maxLength: 5 }),
      fc.option(fc.bigInt({ min: 0n, max: 2n ** 60n })),
      (entries, firstRowId) => {
        const manifest: ManifestFile = { ...writeManifest(options(3), entries).manifest, firstRowId };
        const list = encodeManifestList(
          { formatVersion: 3, snapshotId: 5n, parentSnapshotId: null, sequenceNumber: 12n, firstRowId: 40n },
          [manifest],
        );
        expect(plain(parseManifestList(list, "list"))).toEqual(plain([manifest]));
        expect(Object.fromEntries(decodeAvroFile(list, "list").metadata)).toEqual({
          "snapshot-id": "5",
          "parent-snapshot-id": "null",
          "sequence-number": "12",
          "first-row-id": "40",
          "format-version": "3",
        });
      },
    ),
    { numRuns: 30 },
  );
});

const plainTable = tableMetadata();
const added = (given: Partial<DataFile> = {}): WrittenEntry => ({
  status: "added",
  snapshotId: null,
  sequenceNumber: null,
  fileSequenceNumber: null,
  file: dataFile(given),
});

test("ADDED entries inherit ids, EXISTING and DELETED keep theirs", () => {
  const old = { snapshotId: 4n, sequenceNumber: 2n, fileSequenceNumber: 3n };
  const { bytes: written, manifest } = writeManifest(options(2, plainTable), [
    added({ filePath: "a" }),
    { status: "existing", ...old, file: dataFile({ filePath: "b" }) },
    { status: "deleted", ...old, file: dataFile({ filePath: "c" }) },
  ]);
  const read = parseManifest(written, plainTable, manifest);
  expect(
    read.map(({ status, snapshotId, sequenceNumber, fileSequenceNumber }) => [
      status,
      snapshotId,
      sequenceNumber,
      fileSequenceNumber,
    ]),
  ).toEqual([
    ["added", 99n, 12n, 12n],
    ["existing", 4n, 2n, 3n],
    ["deleted", 4n, 2n, 3n],
  ]);
  expect(manifest).toMatchObject({
    minSequenceNumber: 2n,
    addedFilesCount: 1,
    existingFilesCount: 1,
    deletedFilesCount: 1,
    addedRowsCount: 10n,
  });
});

test("row ids are given out in order to live data files that have none", () => {
  const old = { snapshotId: 4n, sequenceNumber: 2n, fileSequenceNumber: 3n };
  const { bytes: written, manifest } = writeManifest(options(3, plainTable), [
    { status: "deleted", ...old, file: dataFile({ filePath: "gone", recordCount: 1000n }) },
    added({ filePath: "a", recordCount: 5n }),
    { status: "existing", ...old, file: dataFile({ filePath: "b", recordCount: 7n, firstRowId: 3n }) },
    added({ filePath: "c", recordCount: 9n }),
  ]);
  const ids = (firstRowId: bigint | null) =>
    parseManifest(written, plainTable, { ...manifest, firstRowId }).map((each) => each.file.firstRowId);
  expect(ids(100n)).toEqual([null, 100n, 3n, 105n]);
  // Without a first row id of the manifest no file has one: the snapshot is older than the upgrade to v3.
  expect(ids(null)).toEqual([null, null, null, null]);
});

test("partition summaries leave null and NaN out of the bounds", () => {
  const floats = tableMetadata({
    schemas: [
      {
        schemaId: 0,
        identifierFieldIds: [],
        fields: [{ id: 1, name: "f", required: false, type: { kind: "double" } }],
      },
    ],
    partitionSpecs: [{ specId: 0, fields: [{ sourceId: 1, fieldId: 1000, name: "f", transform: "identity" }] }],
  });
  const values = [3.5, Number.NaN, null, -1];
  const { manifest } = writeManifest(
    options(3, floats),
    values.map((value, i) => added({ filePath: `f${i}`, partition: [value] })),
  );
  const view = (bound: Uint8Array | null) => Buffer.from(bound ?? []).readDoubleLE();
  expect(manifest.partitions).toHaveLength(1);
  expect(manifest.partitions![0]).toMatchObject({ containsNull: true, containsNan: true });
  expect(view(manifest.partitions![0]!.lowerBound)).toBe(-1);
  expect(view(manifest.partitions![0]!.upperBound)).toBe(3.5);
});

test("the header says what other engines ask for", () => {
  const header = decodeAvroFile(writeManifest(options(3), []).bytes, "m").metadata;
  expect([...header.keys()]).toEqual([
    "schema",
    "schema-id",
    "partition-spec",
    "partition-spec-id",
    "format-version",
    "content",
  ]);
  expect(JSON.parse(header.get("schema")!)).toMatchObject({ type: "struct", "schema-id": 3 });
  expect(JSON.parse(header.get("partition-spec")!)[0]).toEqual({
    name: "2 odd.näme",
    transform: "identity",
    "source-id": 1,
    "field-id": 1000,
  });
});

test("entries that do not belong into the manifest stop it", () => {
  const write = (each: WrittenEntry) => () => writeManifest(options(3, plainTable), [each]);
  expect(write(added({ content: "position-deletes" }))).toThrow(/data files/);
  expect(write(added({ specId: 1 }))).toThrow(/spec 0/);
  expect(write({ ...added(), status: "existing" })).toThrow(/explicit/);
  expect(write({ ...added(), fileSequenceNumber: 3n })).toThrow(/inherited/);
});
