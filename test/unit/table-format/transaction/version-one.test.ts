import { expect, test } from "vitest";
import { decodeAvroFile } from "../../../../table-format/avro/container.ts";
import {
  appendFiles,
  applyUpdates,
  cherryPick,
  createBranch,
  currentSchema,
  currentSnapshot,
  deleteDataFiles,
  overwriteFiles,
  parseTableMetadata,
  readManifest,
  readManifestList,
  replacePartitions,
  replaceSortOrder,
  rewriteFiles,
  RoaringBitmap,
  rowDelta,
  updateProperties,
  updateSchema,
  updateSpec,
  upgradeFormatVersion,
} from "../../../../table-format/index.ts";
import { BY_PART, equalityDeletes, file, vector, WrittenTable } from "./written-table.ts";

const oldTable = (properties: Readonly<Record<string, string>> = {}) =>
  WrittenTable.create({ formatVersion: 1, spec: BY_PART, properties });

test("files come, go and are replaced, without sequence numbers", async () => {
  const table = await oldTable({ "commit.manifest.min-count-to-merge": "3" });
  await table.commit(appendFiles({ dataFiles: [file("a1", "a"), file("b1", "b")] }));
  await table.commit(appendFiles({ dataFiles: [file("a2", "a")] }));
  await table.commit(
    overwriteFiles({ deletedFiles: [await table.liveFile("a1")], addedFiles: [file("a3", "a")] }),
    createBranch("dev"),
  );
  await table.commit(replacePartitions({ dataFiles: [file("b2", "b")] }));
  await table.commit(rewriteFiles({ deletedFiles: [await table.liveFile("a2")], addedFiles: [file("a4", "a")] }));
  await table.commit(appendFiles({ dataFiles: [file("c1", "c")], stageOnly: true }));
  const staged = (await table.load()).metadata.snapshots.at(-1)!;
  await table.commit(deleteDataFiles({ paths: ["a3"] }));
  await table.commit(cherryPick(staged.snapshotId));
  expect(await table.live()).toEqual(["a4", "b2", "c1"]);
  const { metadata, metadataLocation } = await table.load();
  expect(metadata.snapshots.map(({ sequenceNumber }) => sequenceNumber)).toEqual(metadata.snapshots.map(() => 0n));
  expect(metadata.lastSequenceNumber).toBe(0n);
  expect(parseTableMetadata(await table.io.read(metadataLocation), metadataLocation)).toEqual(metadata);
  const head = currentSnapshot(metadata)!;
  for (const manifest of await readManifestList(table.io, head)) {
    expect(manifest).toMatchObject({ content: "data", sequenceNumber: 0n });
    for (const entry of await readManifest(table.io, metadata, manifest)) {
      expect(metadata.snapshots.map(({ snapshotId }) => snapshotId)).toContain(entry.snapshotId);
      expect(entry.sequenceNumber).toBe(0n);
    }
    const { schema, metadata: header } = decodeAvroFile(await table.io.read(manifest.path), manifest.path);
    expect(header.get("format-version")).toBe("1");
    expect(header.has("content")).toBe(false);
    const names = (record: unknown) =>
      (record as { fields: readonly { name: string; type: unknown }[] }).fields.map(({ name }) => name);
    expect(names(schema)).toEqual(["status", "snapshot_id", "data_file"]);
    const dataFile = (schema as unknown as { fields: readonly { type: unknown }[] }).fields[2]!.type;
    expect(names(dataFile).slice(0, 6)).toEqual([
      "file_path",
      "file_format",
      "partition",
      "record_count",
      "file_size_in_bytes",
      "block_size_in_bytes",
    ]);
  }
});

test("schema, sort order and properties change as in later versions", async () => {
  const table = await oldTable();
  await table.commit(
    updateSchema([
      { change: "add-column", name: "n", type: { kind: "int" } },
      { change: "rename-column", name: "part", to: "place" },
    ]),
    replaceSortOrder(["n desc"]),
    updateProperties({ note: "old" }),
  );
  await table.commit(updateSchema([{ change: "update-column", name: "n", type: { kind: "long" } }]));
  const { metadata } = await table.load();
  expect(currentSchema(metadata).fields.map(({ name, type }) => `${name} ${type.kind}`)).toEqual([
    "id long",
    "place string",
    "n long",
  ]);
  expect(metadata.properties.get("note")).toBe("old");
  const nanoseconds = { change: "add-column", name: "t", type: { kind: "timestamp_ns" } } as const;
  await expect(table.commit(updateSchema([nanoseconds]))).rejects.toThrow(/needs format version 3/);
});

test("partition fields that are removed stay as void, in their places", async () => {
  const table = await oldTable();
  const fields = async () => {
    const { partitionSpecs, defaultSpecId } = (await table.load()).metadata;
    const spec = partitionSpecs.find(({ specId }) => specId === defaultSpecId)!;
    return spec.fields.map(({ fieldId, name, transform }) => `${fieldId} ${name} ${transform}`);
  };
  await table.commit(updateSpec([{ change: "add-field", term: "bucket(4, id)" }]));
  await table.commit(updateSpec([{ change: "remove-field", name: "part" }]));
  expect(await fields()).toEqual(["1000 part void", "1001 id_bucket_4 bucket[4]"]);
  await expect(table.commit(updateSpec([{ change: "remove-field", name: "part" }]))).rejects.toThrow(/does not exist/);
  await table.commit(appendFiles({ dataFiles: [{ ...file("x"), specId: 2, partition: [null, 3] }] }));
  await table.commit(
    updateSpec([
      { change: "add-field", term: "part" },
      { change: "rename-field", name: "id_bucket_4", to: "shard" },
    ]),
  );
  expect(await fields()).toEqual(["1000 part_1000 void", "1001 shard bucket[4]", "1002 part identity"]);
  const { metadata } = await table.load();
  const gap = { specId: 0, fields: [{ sourceId: 1, fieldId: 1004, name: "b", transform: "bucket[2]" }] };
  const apply = () =>
    applyUpdates(metadata, [{ action: "add-spec", spec: gap }], { nowMs: 1n, previousMetadataLocation: null });
  expect(apply).toThrow(/version 1 counts them from 1000 on/);
  await table.commit(upgradeFormatVersion(2), updateSpec([{ change: "remove-field", name: "shard" }]));
  expect(await fields()).toEqual(["1000 part_1000 void", "1002 part identity"]);
});

test("deletes of rows are refused by name, until the table is upgraded", async () => {
  const table = await oldTable();
  await table.commit(appendFiles({ dataFiles: [file("a1", "a")] }));
  const positions = RoaringBitmap.from([1]);
  const refused = { kind: "unsupported", code: "FORMAT_VERSION", hint: expect.stringContaining("upgrade") };
  const dataFile = await table.liveFile("a1");
  await expect(table.commit(rowDelta({ deletedRows: [{ dataFile, positions }] }))).rejects.toMatchObject(refused);
  await expect(table.commit(rowDelta({ deleteFiles: [equalityDeletes("e", "a")] }))).rejects.toMatchObject(refused);
  await expect(table.commit(rowDelta({ deleteFiles: [vector("v", "a1", "a")] }))).rejects.toMatchObject(refused);
  await table.commit(rowDelta({ dataFiles: [file("a2", "a")] }));
  expect(await table.live()).toEqual(["a1", "a2"]);
  await table.commit(upgradeFormatVersion(2));
  await table.commit(rowDelta({ deletedRows: [{ dataFile, positions }] }));
  const { metadata } = await table.load();
  expect(metadata.snapshots.map(({ sequenceNumber }) => sequenceNumber)).toEqual([0n, 0n, 1n]);
});

test("a snapshot that was prepared for version 1 does not get into an upgraded table", async () => {
  const table = await oldTable();
  await table.commit(appendFiles({ dataFiles: [file("a1", "a")] }));
  const known = await table.load();
  await table.commit(upgradeFormatVersion(2));
  await table.commitFrom(known, appendFiles({ dataFiles: [file("a2", "a")] }));
  expect((await table.head()).sequenceNumber).toBe(1n);
});

test("the oldest tables have no uuid, and get one when they are upgraded", async () => {
  const table = await oldTable();
  const { metadata } = await table.load();
  const context = { nowMs: metadata.lastUpdatedMs, previousMetadataLocation: null };
  const nameless = { ...metadata, tableUuid: "" };
  const changed = applyUpdates(nameless, [{ action: "set-properties", updates: new Map([["a", "b"]]) }], context);
  expect(changed.tableUuid).toBe("");
  const attempt = { base: nameless, context: { uuid: () => "8a3c4d5e-0000-4000-8000-000000000002" } };
  const updates = await upgradeFormatVersion(2).updates(attempt as never);
  expect(applyUpdates(nameless, updates, context)).toMatchObject({
    formatVersion: 2,
    tableUuid: expect.stringMatching(/-000000000002$/) as string,
  });
});
