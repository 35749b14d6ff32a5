import { expect, test } from "vitest";
import { createMemoryStorage } from "../../../../src/storage/memory.ts";
import {
  batchOfRows,
  cellAt,
  changelogScan,
  type CellStruct,
  diffSnapshots,
  type FileIO,
  must,
  openDataFileWriter,
  overwriteFiles,
  parquetDataFile,
  RoaringBitmap,
  rowDelta,
  type Schema,
  snapshotSchema,
  upgradeFormatVersion,
} from "../../../../table-format/index.ts";
import { matchRows } from "../../../../table-format/scan/row-matching.ts";
import { changelogRows } from "../../../support/changelog-rows.ts";
import { Dice } from "../../../support/fuzz/mutate.ts";
import { RandomTable } from "../../../support/random-table.ts";
import { ROW_SCHEMA, TestTable } from "../test-table.ts";
import { WrittenTable } from "../transaction/written-table.ts";
import { type IdRow, writeIdRows } from "./lineage-rows.ts";

const row = (id: number, name: string | null) => ({ id: BigInt(id), name, day: null });

/** Changes as texts: type, ordinal, values. */
async function told(table: TestTable, options: Parameters<typeof changelogRows>[2], key: number | null = 0) {
  const rows = await changelogRows(table.io, table.metadata, options, key);
  return rows.map(({ type, ordinal, values }) => `${ordinal} ${type} ${values}`);
}

/** An upsert, a rewrite that is no change, and a delete. */
async function lived(formatVersion: 2 | 3) {
  const table = await TestTable.inMemory({ formatVersion });
  const next = async (change: Parameters<TestTable["change"]>[0]) => (await table.change(change)).snapshotId;
  const ids = [
    await next({ insert: [row(1, "a"), row(2, "b"), row(3, "c")] }),
    await next({ delete: [1n, 2n], insert: [row(1, "A"), row(2, "b"), row(4, "d")] }),
    await next({ rewrite: table.paths, operation: "replace" }),
    await next({ delete: [3n] }),
  ] as const;
  return { table, ids };
}

test.each([2, 3] as const)("snapshot by snapshot, or net, in format version %i", async (formatVersion) => {
  const { table, ids } = await lived(formatVersion);
  const [first, second, , last] = ids;
  const upsert = ['1 UPDATE_BEFORE ["1","a",null]', '1 UPDATE_AFTER ["1","A",null]', '1 INSERT ["4","d",null]'];
  expect(await told(table, {})).toEqual([
    '0 INSERT ["1","a",null]',
    '0 INSERT ["2","b",null]',
    '0 INSERT ["3","c",null]',
    ...upsert,
    '2 DELETE ["3","c",null]',
  ]);
  expect(await told(table, { from: first, to: second })).toEqual(upsert.map((line) => line.replace("1", "0")));
  expect(await told(table, { from: last, to: last })).toEqual([]);
  expect((await told(table, { from: first, net: true })).toSorted()).toEqual([
    '0 DELETE ["3","c",null]',
    '0 INSERT ["4","d",null]',
    '0 UPDATE_AFTER ["1","A",null]',
    '0 UPDATE_BEFORE ["1","a",null]',
  ]);
  const backwards = await told(table, { from: second, to: first, net: true });
  expect(backwards).toContain('0 UPDATE_AFTER ["1","a",null]');
  await expect(told(table, { from: second, to: first })).rejects.toMatchObject({ code: "SNAPSHOT_RANGE" });
  await expect(told(table, { from: 7n })).rejects.toMatchObject({ code: "SNAPSHOT_NOT_FOUND" });
  await expect(told(table, { identifierFields: ["nobody"] })).rejects.toMatchObject({ code: "UNKNOWN_COLUMN" });
});

test("only the columns that are asked for count, and the key pairs whether it is asked for or not", async () => {
  const { table, ids } = await lived(2);
  const [first, second] = ids;
  const fields = ROW_SCHEMA.fields.slice(1, 2);
  const rows = await changelogRows(table.io, table.metadata, { from: first, to: second, fields }, null);
  expect(rows.map(({ type, values }) => `${type} ${values}`)).toEqual([
    'UPDATE_BEFORE ["a"]',
    'UPDATE_AFTER ["A"]',
    'INSERT ["d"]',
  ]);
  const days = ROW_SCHEMA.fields.slice(2);
  const byDay = await changelogRows(table.io, table.metadata, { from: first, to: second, fields: days }, null);
  expect(byDay.map(({ type }) => type)).toEqual(["INSERT"]);
});

test("columns have the names and ids of Java's changelog", async () => {
  const { table, ids } = await lived(3);
  for await (const { fields, columns, length, snapshot } of changelogScan(table.io, table.metadata, {
    from: ids[2],
    identifierFields: [],
  })) {
    expect(fields.slice(3).map(({ id, name }) => [id, name])).toEqual([
      [2147483540, "_row_id"],
      [2147483543, "_change_type"],
      [2147483542, "_change_ordinal"],
      [2147483541, "_commit_snapshot_id"],
    ]);
    expect(length).toBe(1);
    expect(columns.map((column) => cellAt(column, 0)).slice(4)).toEqual(["DELETE", 0, ids[3]]);
    expect(snapshot.snapshotId).toBe(ids[3]);
  }
});

test("files that did not change are not opened, nor those whose rows have all only moved", async () => {
  const table = await TestTable.inMemory({ formatVersion: 3 });
  await table.change({ insert: [row(1, "a"), row(2, "b")] });
  await table.change({ insert: [row(3, "c")] });
  const [changed, untouched] = table.paths as [string, string];
  const { snapshotId: from } = await table.change({});
  const { snapshotId: to } = await table.change({ delete: [2n], insert: [row(2, "B")] });
  const read = new Set<string>();
  const io = Object.create(table.io, {
    read: { value: (location: string) => (read.add(location), table.io.read(location)) },
    readRange: {
      value: (location: string, offset: number, length: number) => (
        read.add(location),
        table.io.readRange(location, offset, length)
      ),
    },
  }) as FileIO;
  const rows = await changelogRows(io, table.metadata, { from, to }, 0);
  expect(rows.map(({ type }) => type)).toEqual(["UPDATE_BEFORE", "UPDATE_AFTER"]);
  expect([read.has(changed), read.has(untouched)]).toEqual([true, false]);
});

test("what is held at once does not decide what is matched", async () => {
  for (const seed of [3, 5, 8]) {
    const io = createMemoryStorage();
    const random = new RandomTable(io, "mem://w", new Dice(seed));
    await random.live();
    const { metadata } = random.table;
    const [before, after] = [metadata.snapshots[0], metadata.snapshots.at(-1)];
    const plan = await diffSnapshots(io, metadata, must(before, "a snapshot"), must(after, "a snapshot"));
    const schema = snapshotSchema(metadata, must(after, "a snapshot"));
    const counts = async (held: number) => {
      const identity = { by: "fields", fieldIds: [1] } as const;
      const { unchanged, updated } = await matchRows({ io, metadata, schema }, plan, identity, schema.fields, held);
      const sides = [unchanged.deleted, unchanged.inserted, updated.deleted, updated.inserted];
      return sides.map(({ count }) => count);
    };
    const whole = await counts(1_000_000);
    expect(await counts(1)).toEqual(whole);
    expect(await counts(3)).toEqual(whole);
  }
});

test("identifier fields may stand in structs, and maps are equal whatever the order of their entries", async () => {
  const inner = { id: 3, name: "k", required: true, type: { kind: "long" } } as const;
  const schema: Schema = {
    schemaId: 0,
    fields: [
      { id: 1, name: "key", required: true, type: { kind: "struct", fields: [inner] } },
      {
        id: 2,
        name: "tags",
        required: false,
        type: {
          kind: "map",
          keyId: 4,
          key: { kind: "string" },
          valueId: 5,
          valueRequired: false,
          value: { kind: "string" },
        },
      },
    ],
    identifierFieldIds: [3],
  };
  const table = await WrittenTable.create({ schema });
  const { io } = table;
  const put = async (name: string, rows: readonly CellStruct[]) => {
    const { metadata } = await table.load();
    const filePath = `${metadata.location}/data/${name}.parquet`;
    const writer = openDataFileWriter({ schema, output: await io.openWrite(filePath) });
    await writer.write(batchOfRows(schema, rows));
    return parquetDataFile(await writer.finish(), { filePath, specId: 0, partition: [] });
  };
  const long = "a long text ".repeat(20);
  await table.commit(
    overwriteFiles({
      addedFiles: [
        await put("one", [
          {
            key: { k: 1n },
            tags: [
              ["a", "1"],
              ["b", long],
            ],
          },
          {
            key: { k: 2n },
            tags: [
              ["a", "1"],
              ["b", long],
            ],
          },
        ]),
      ],
    }),
  );
  const first = await table.head();
  const { dataFiles } = await table.plan();
  await table.commit(
    overwriteFiles({
      deletedFiles: dataFiles,
      addedFiles: [
        await put("two", [
          {
            key: { k: 1n },
            tags: [
              ["b", long],
              ["a", "1"],
            ],
          },
          {
            key: { k: 2n },
            tags: [
              ["b", `${long}!`],
              ["a", "1"],
            ],
          },
        ]),
      ],
    }),
  );
  const { metadata } = await table.load();
  const found = await changelogRows(io, metadata, { from: first.snapshotId }, 0);
  expect(found.map(({ type, identity }) => `${type} ${identity}`)).toEqual([
    'UPDATE_BEFORE {"k":"2"}',
    'UPDATE_AFTER {"k":"2"}',
  ]);
  const named = await changelogRows(io, metadata, { from: first.snapshotId, identifierFields: ["key.k"] }, 0);
  expect(named).toEqual(found);
});

test("rows that take each other's values are two updates by row id, and none by key", async () => {
  const table = await WrittenTable.create();
  const { io } = table;
  const swapped = [
    { id: 2n, part: "b", _row_id: 0n },
    { id: 1n, part: "a", _row_id: 1n },
    { id: 4n, part: "d" },
  ];
  const straight = [
    { id: 1n, part: "a" },
    { id: 2n, part: "b" },
    { id: 3n, part: "c" },
  ];
  await table.commit(rowDelta({ dataFiles: await writeIdRows(await table.load(), io, "straight", straight) }));
  const { dataFiles } = await table.plan();
  const [deletedFiles, addedFiles] = [dataFiles, await writeIdRows(await table.load(), io, "swapped", swapped)];
  await table.commit(overwriteFiles({ deletedFiles, addedFiles }));
  const { metadata } = await table.load();
  const from = must(metadata.snapshots[0], "a snapshot").snapshotId;
  const types = async (identifierFields: string[]) =>
    (await changelogRows(io, metadata, { from, identifierFields }, null)).map(({ type }) => type);
  const before = ["UPDATE_BEFORE", "UPDATE_BEFORE", "DELETE"];
  expect(await types([])).toEqual([...before, "UPDATE_AFTER", "UPDATE_AFTER", "INSERT"]);
  expect(await types(["id"])).toEqual(["DELETE", "INSERT"]);
});

test("rows from before the upgrade to version 3 are paired by the ids that they have got since", async () => {
  // Manifests are merged, so that the file stands in another one afterwards.
  const properties = { "commit.manifest.min-count-to-merge": "2" };
  const table = await WrittenTable.create({ formatVersion: 2, properties });
  const { io } = table;
  const put = async (name: string, rows: readonly IdRow[]) => writeIdRows(await table.load(), io, name, rows);
  const old = await put("old", [
    { id: 1n, part: "a" },
    { id: 2n, part: "a" },
  ]);
  await table.commit(rowDelta({ dataFiles: old }));
  await table.commit(upgradeFormatVersion(3), rowDelta({ dataFiles: await put("new", [{ id: 3n, part: "a" }]) }));
  const { dataFiles } = await table.plan();
  const dataFile = must(
    dataFiles.find(({ file }) => file.filePath.includes("old")),
    "the old file",
  );
  const id = must(dataFile.file.firstRowId, "a row id") + 1n;
  const deletedRows = [{ dataFile, positions: RoaringBitmap.from([1]) }];
  await table.commit(rowDelta({ dataFiles: await put("changed", [{ id: 2n, part: "b", _row_id: id }]), deletedRows }));
  const { metadata } = await table.load();
  const from = must(metadata.snapshots[0], "a snapshot").snapshotId;
  const rows = await changelogRows(io, metadata, { from, identifierFields: [], net: true }, null);
  expect(rows.map(({ type, identity }) => `${type} ${identity}`).toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
    expect.stringMatching(/^INSERT/),
    `UPDATE_AFTER "${id}"`,
    `UPDATE_BEFORE "${id}"`,
  ]);
});

test("row groups without a changed row are not read", async () => {
  const table = await WrittenTable.create();
  const { metadata } = await table.load();
  const schema = must(metadata.schemas[0], "a schema");
  const filePath = `${metadata.location}/data/groups.parquet`;
  const output = await table.io.openWrite(filePath);
  const writer = openDataFileWriter({ schema, output, rowGroupSizeBytes: 1 });
  const dice = new Dice(1);
  // Longer than what is read of a file's end at once, and not to be compressed to less.
  const noise = () => Array.from({ length: 200_000 }, () => String.fromCharCode(32 + dice.below(90))).join("");
  const rows = Array.from({ length: 5 }, (_, id) => ({ id: BigInt(id), part: noise() }));
  await writer.write(batchOfRows(schema, rows));
  const file = parquetDataFile(await writer.finish(), { filePath, specId: 0, partition: [] });
  const offsets = must(file.splitOffsets, "row groups").map(Number);
  expect(offsets).toHaveLength(5);
  await table.commit(rowDelta({ dataFiles: [file] }));
  const [dataFile] = (await table.plan()).dataFiles;
  const positions = RoaringBitmap.from([3]);
  await table.commit(rowDelta({ deletedRows: [{ dataFile: must(dataFile, "a file"), positions }] }));
  const after = (await table.load()).metadata;
  const read: number[] = [];
  const io = Object.create(table.io, {
    readRange: {
      value: (location: string, offset: number, length: number) => {
        if (location === filePath) read.push(offset);
        return table.io.readRange(location, offset, length);
      },
    },
  }) as FileIO;
  const from = must(after.snapshots[0], "a snapshot").snapshotId;
  const found = await changelogRows(io, after, { from }, 0);
  expect(found.map(({ type, identity }) => `${type} ${identity}`)).toEqual(['DELETE "3"']);
  const inGroups = read.filter((offset) => offset < must(offsets[3], "a group") || offset === offsets[4]);
  expect(inGroups).toEqual([]);
  expect(read.length).toBeGreaterThan(0);
});
