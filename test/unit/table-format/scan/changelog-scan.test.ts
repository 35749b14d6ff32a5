import { describe, expect, test } from "vitest";
import { createMemoryStorage } from "../../../../src/storage/memory.ts";
import {
  batchOfRows,
  cellAt,
  changelogScan,
  type CellStruct,
  type DataFile,
  diffSnapshots,
  type FileIO,
  type LoadedTable,
  must,
  openDataFileWriter,
  overwriteFiles,
  parquetDataFile,
  planSnapshot,
  type PositionDelta,
  rewriteFiles,
  RoaringBitmap,
  rowDelta,
  type Schema,
  scanRows,
  snapshotById,
  snapshotSchema,
  type TableMetadata,
  type TableOperation,
  withLineage,
} from "../../../../table-format/index.ts";
import { matchRows } from "../../../../table-format/scan/row-matching.ts";
import { changelogRows, changesOf, compareAll, fullRows } from "../../../support/changelog-rows.ts";
import { Dice } from "../../../support/fuzz/mutate.ts";
import { RandomTable } from "../../../support/random-table.ts";
import { ROW_SCHEMA, TestTable } from "../test-table.ts";
import { WrittenTable } from "../transaction/written-table.ts";

/** `FRAZIL_RANDOM_TABLES` sets another number, `FRAZIL_RANDOM_SEED` the first seed. */
const TABLES = Number(process.env["FRAZIL_RANDOM_TABLES"] ?? 6);
const FIRST = Number(process.env["FRAZIL_RANDOM_SEED"] ?? 1);
const SEEDS = Array.from({ length: TABLES }, (_, i) => FIRST + i);

/** A column of few values, so that keys meet again; the first where there is none. */
function keyIn({ fields }: Schema): number {
  const found = fields.findIndex(({ type }, k) => k > 0 && type.kind !== "float" && type.kind !== "double");
  return Math.max(found, 0);
}

/** The changes between any two snapshots, and step by step up to the newest, are those of a comparison of all rows. */
async function compareAllPairs(io: FileIO, metadata: TableMetadata, seed: number): Promise<number> {
  const ids = [null, ...metadata.snapshots.map(({ snapshotId }) => snapshotId)];
  const at = (id: bigint) => must(snapshotById(metadata, id), "a snapshot");
  const known = new Map<string, ReturnType<typeof fullRows>>();
  const rowsAt = (id: bigint | null, schema: Schema, key: number | null) => {
    const name = `${id} ${schema.schemaId} ${key}`;
    const rows = known.get(name) ?? fullRows(io, metadata, id === null ? null : at(id), schema.fields, key);
    known.set(name, rows);
    return rows;
  };
  let updates = 0;
  for (const by of ["key", "row id"]) {
    const paired = (schema: Schema) => {
      const key = by === "key" ? keyIn(schema) : null;
      const identifierFields = key === null ? [] : [must(schema.fields[key], "a column").name];
      const compared = async (from: bigint | null, to: bigint) =>
        compareAll(await rowsAt(from, schema, key), await rowsAt(to, schema, key), key === null);
      return { key, identifierFields, compared };
    };
    for (const [i, from] of ids.entries()) {
      for (const [k, to] of ids.entries()) {
        if (to === null) continue;
        const { key, identifierFields, compared } = paired(
          snapshotSchema(metadata, at(k < i && from !== null ? from : to)),
        );
        const { updatesAfter, ...found } = changesOf(
          await changelogRows(io, metadata, { from, to, identifierFields, net: true }, key),
        );
        const context = { seed, from, to, by };
        expect({ ...context, ...found }).toEqual({ ...context, ...(await compared(from, to)) });
        expect(updatesAfter).toEqual(found.updates);
        updates += found.updates.length;
      }
    }
    const told = metadata.snapshots.filter(({ summary }) => summary.get("operation") !== "replace");
    const { key, identifierFields, compared } = paired(snapshotSchema(metadata, at(must(ids.at(-1), "a snapshot"))));
    const all = await changelogRows(io, metadata, { identifierFields }, key);
    for (const [ordinal, { snapshotId, parentSnapshotId }] of told.entries()) {
      const step = all.filter((row) => row.ordinal === ordinal);
      expect(step.filter((row) => row.snapshotId !== snapshotId)).toEqual([]);
      const expected = await compared(parentSnapshotId, snapshotId);
      expect({ seed, snapshotId, ...changesOf(step) }).toMatchObject({ seed, snapshotId, ...expected });
    }
    expect(new Set(all.map(({ ordinal }) => ordinal)).difference(new Set(told.keys())).size).toBe(0);
  }
  return updates;
}

describe("the changes that a comparison of all rows shows", () => {
  test(
    "of random tables: all types, equality and position deletes, vectors, other schemas and partitions",
    { timeout: 600_000 },
    async () => {
      let updates = 0;
      for (const seed of SEEDS) {
        const io = createMemoryStorage();
        const random = new RandomTable(io, "mem://w", new Dice(seed));
        await random.live();
        updates += await compareAllPairs(io, random.table.metadata, seed);
      }
      expect(updates).toBeGreaterThan(0);
    },
  );

  test(
    "of tables whose rows keep their ids through updates, copies on write and compactions",
    { timeout: 600_000 },
    async () => {
      let updates = 0;
      for (const seed of SEEDS) {
        const table = await WrittenTable.create();
        const dice = new Dice(seed);
        for (let steps = 8; steps > 0; steps--) await liveOn(table, dice);
        updates += await compareAllPairs(table.io, (await table.load()).metadata, seed);
      }
      expect(updates).toBeGreaterThan(0);
    },
  );
});

interface IdRow {
  readonly id: bigint;
  readonly part: string;
  readonly _row_id?: bigint | null;
  readonly _last_updated_sequence_number?: bigint | null;
}

/** A data file of rows, with the lineage that they bring. */
async function write({ metadata }: LoadedTable, io: FileIO, name: string, rows: readonly IdRow[]): Promise<DataFile[]> {
  if (rows.length === 0) return [];
  const schema = withLineage(must(metadata.schemas[0], "a schema"));
  const filePath = `${metadata.location}/data/${name}.parquet`;
  const writer = openDataFileWriter({ schema, output: await io.openWrite(filePath) });
  await writer.write(batchOfRows(schema, rows as unknown as CellStruct[]));
  return [parquetDataFile(await writer.finish(), { filePath, specId: 0, partition: [] })];
}

let files = 0;

/** Appends, updates rows in place by vectors, deletes, copies a file on write, or compacts. */
async function liveOn(table: WrittenTable, dice: Dice): Promise<void> {
  const loaded = await table.load();
  const { io } = table;
  const name = () => `f${++files}`;
  const fresh = Array.from({ length: 1 + dice.below(4) }, () => ({
    id: BigInt(dice.below(30)),
    part: dice.pick(["a", "b"]),
  }));
  const snapshot = loaded.metadata.currentSnapshotId === null ? null : await table.head();
  const plan = snapshot === null ? null : await planSnapshot(io, loaded.metadata, snapshot);
  if (plan === null || snapshot === null || plan.dataFiles.length === 0) {
    await table.commit(rowDelta({ dataFiles: await write(loaded, io, name(), fresh) }));
    return;
  }
  const dataFile = dice.pick(plan.dataFiles);
  const live: { position: number; row: IdRow }[] = [];
  for await (const { file, positions, length, columns } of scanRows(io, loaded.metadata, snapshot, {
    fields: withLineage(must(loaded.metadata.schemas[0], "a schema")).fields,
  })) {
    if (file.filePath !== dataFile.file.filePath) continue;
    for (let at = 0; at < length; at++) {
      const [id, part, rowId, updated] = columns.map((column) => cellAt(column, at));
      const position = must(positions[at], "a position");
      const row = {
        id: id as bigint,
        part: part as string,
        _row_id: (rowId as bigint | null) ?? must(file.firstRowId, "a row id") + BigInt(position),
        _last_updated_sequence_number: (updated as bigint | null) ?? dataFile.sequenceNumber,
      };
      live.push({ position, row });
    }
  }
  const chosen = live.filter(() => dice.below(2) === 0);
  const changed = chosen.map(({ row: { id, _row_id } }) => ({
    id,
    part: dice.pick(["a", "c"]),
    _row_id: must(_row_id, "an id"),
  }));
  const untouched = live.filter((each) => !chosen.includes(each)).map(({ row }) => row);
  const operation = async (): Promise<TableOperation> => {
    const gone: PositionDelta = { dataFile, positions: RoaringBitmap.from(chosen.map(({ position }) => position)) };
    const deletedRows = chosen.length === 0 ? [] : [gone];
    switch (dice.below(5)) {
      case 0:
        return rowDelta({ dataFiles: await write(loaded, io, name(), fresh), deletedRows });
      case 1:
      case 2:
        return rowDelta({ dataFiles: await write(loaded, io, name(), [...changed, ...fresh]), deletedRows });
      case 3:
        return overwriteFiles({
          deletedFiles: [dataFile],
          addedFiles: await write(loaded, io, name(), [...untouched, ...changed]),
        });
      default:
        return rewriteFiles({
          deletedFiles: [dataFile],
          addedFiles: await write(
            loaded,
            io,
            name(),
            live.map(({ row }) => row),
          ),
        });
    }
  };
  await table.commit(await operation());
}

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
      const { unchanged, updated } = await matchRows({ io, metadata }, plan, schema, schema.fields, identity, held);
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
