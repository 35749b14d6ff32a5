import { expect, test } from "vitest";
import {
  appendFiles,
  batchOfRows,
  type CellStruct,
  cherryPick,
  createBranch,
  type DataFile,
  diffSnapshots,
  type Expression,
  type FileIO,
  type ManifestFile,
  must,
  openDataFileWriter,
  overwriteFiles,
  parquetDataFile,
  readManifestList,
  RoaringBitmap,
  rollbackTo,
  rowDelta,
  type Schema,
  updateSchema,
  updateSpec,
  upgradeFormatVersion,
} from "../../../../table-format/index.ts";
import { changelogRows } from "../../../support/changelog-rows.ts";
import { BY_PART, type TableGiven, WrittenTable } from "../transaction/written-table.ts";
import { compareAllPairs } from "./all-pairs.ts";
import { ID_ROW_COLUMNS, type IdRow, writeIdRows } from "./lineage-rows.ts";

/** A table of ids and parts. */
class Cases {
  #files = 0;
  readonly table: WrittenTable;

  private constructor(table: WrittenTable) {
    this.table = table;
  }

  static async create(given: TableGiven = {}): Promise<Cases> {
    return new Cases(await WrittenTable.create(given));
  }

  /** A data file of rows like `1a`, in the partition of their part where the table has such. */
  async file(...rows: readonly string[]): Promise<DataFile[]> {
    const loaded = await this.table.load();
    const { defaultSpecId, partitionSpecs } = loaded.metadata;
    const idRows = rows.map((text): IdRow => ({ id: BigInt(text.slice(0, -1)), part: text.slice(-1) }));
    const written = await writeIdRows(loaded, this.table.io, `c${++this.#files}`, idRows);
    const spec = must(
      partitionSpecs.find(({ specId }) => specId === defaultSpecId),
      "a spec",
    );
    const partition = spec.fields.map(({ transform }) => (transform === "void" ? null : must(idRows[0], "a row").part));
    return written.map((each) => ({ ...each, specId: defaultSpecId, partition }));
  }

  /** An equality delete file of ids, of the whole table. */
  async byId(...ids: readonly number[]): Promise<DataFile> {
    const { metadata } = await this.table.load();
    const field = must(metadata.schemas[0]?.fields[0], "a column");
    const filePath = `${metadata.location}/data/e${++this.#files}.parquet`;
    const schema: Schema = { schemaId: 0, fields: [field], identifierFieldIds: [] };
    const writer = openDataFileWriter({ schema, output: await this.table.io.openWrite(filePath) });
    await writer.write(
      batchOfRows(
        schema,
        ids.map((id) => ({ id: BigInt(id) })),
      ),
    );
    const encoded = parquetDataFile(await writer.finish(), { filePath, specId: 0, partition: [] });
    return { ...encoded, content: "equality-deletes", equalityIds: [1] };
  }

  /** Rows of a live file by its number. */
  async rowsOf(number: number, ...positions: readonly number[]) {
    const { dataFiles } = await this.table.plan();
    const dataFile = dataFiles.find(({ file }) => file.filePath.endsWith(`/c${number}.parquet`));
    return { dataFile: must(dataFile, `file ${number}`), positions: RoaringBitmap.from(positions) };
  }

  async newest(): Promise<bigint> {
    return must((await this.table.load()).metadata.snapshots.at(-1), "a snapshot").snapshotId;
  }

  async compare(seed: number): Promise<number> {
    const { metadata } = await this.table.load();
    return compareAllPairs(this.table.io, metadata, seed, () => ID_ROW_COLUMNS);
  }
}

test(
  "of snapshots on several branches, after a rollback, and of a commit that another branch took over",
  { timeout: 300_000 },
  async () => {
    const cases = await Cases.create({ formatVersion: 2 });
    const { table } = cases;
    await table.commit(appendFiles({ dataFiles: await cases.file("1a", "2b", "3c") }));
    const base = await cases.newest();
    await table.commit(createBranch("dev"));
    await table.commit(appendFiles({ dataFiles: await cases.file("2c", "4a"), stageOnly: true }));
    const staged = await cases.newest();
    await table.commit(rowDelta({ deleteFiles: [await cases.byId(2, 9)], branch: "dev" }));
    // Behind these deletes the files of the staged commit have a higher sequence number than they had.
    await table.commit(rowDelta({ deleteFiles: [await cases.byId(2)] }));
    await table.commit(cherryPick(staged));
    const picked = await cases.newest();
    expect(picked).not.toBe(staged);
    await table.commit(rowDelta({ dataFiles: await cases.file("3a"), deletedRows: [await cases.rowsOf(1, 0)] }));
    await table.commit(rollbackTo(base));
    await table.commit(appendFiles({ dataFiles: await cases.file("1b") }));
    await cases.compare(1);
    const { metadata } = await table.load();
    const net = { from: picked, to: base, net: true };
    const back = await changelogRows(table.io, metadata, net, 0);
    expect(back.map(({ type, values }) => `${type} ${values}`).sort()).toEqual([
      'DELETE ["4","a"]',
      'UPDATE_AFTER ["2","b"]',
      'UPDATE_BEFORE ["2","c"]',
    ]);
    const forbidden = { code: "SNAPSHOT_RANGE" };
    await expect(changelogRows(table.io, metadata, { from: picked, to: base }, 0)).rejects.toMatchObject(forbidden);
    await expect(changelogRows(table.io, metadata, { from: staged }, 0)).rejects.toMatchObject(forbidden);
  },
);

test("over the upgrades from version 1 to 2 and 3, other partitions and schemas", { timeout: 300_000 }, async () => {
  const cases = await Cases.create({ formatVersion: 1, properties: { "commit.manifest.min-count-to-merge": "3" } });
  const { table } = cases;
  await table.commit(appendFiles({ dataFiles: await cases.file("1a", "2a") }));
  await table.commit(appendFiles({ dataFiles: await cases.file("3a", "3a", "4a") }));
  await table.commit(upgradeFormatVersion(2));
  await table.commit(rowDelta({ deletedRows: [await cases.rowsOf(1, 1)] }));
  await table.commit(updateSpec([{ change: "add-field", term: "part" }]));
  await table.commit(rowDelta({ dataFiles: await cases.file("2b", "5b"), deleteFiles: [await cases.byId(3)] }));
  await table.commit(upgradeFormatVersion(3));
  await table.commit(rowDelta({ deletedRows: [await cases.rowsOf(2, 0), await cases.rowsOf(3, 0)] }));
  await table.commit(updateSchema([{ change: "add-column", name: "more", type: { kind: "int" } }]));
  await table.commit(appendFiles({ dataFiles: await cases.file("1c") }));
  expect(await cases.compare(2)).toBeGreaterThan(0);
});

test("from the oldest snapshot that is held its rows are inserts; one that has expired is no beginning", async () => {
  const cases = await Cases.create();
  const { table } = cases;
  await table.commit(appendFiles({ dataFiles: await cases.file("1a") }));
  const first = await cases.newest();
  await table.commit(appendFiles({ dataFiles: await cases.file("2a") }));
  await table.commit(appendFiles({ dataFiles: await cases.file("3a") }));
  const { metadata } = await table.load();
  const kept = { ...metadata, snapshots: metadata.snapshots.slice(1) };
  const told = (from: bigint | null) => changelogRows(table.io, kept, { from }, 0);
  expect((await told(null)).map(({ ordinal, values }) => `${ordinal} ${values}`)).toEqual([
    '0 ["2","a"]',
    '0 ["1","a"]',
    '1 ["3","a"]',
  ]);
  await expect(told(first)).rejects.toMatchObject({ code: "SNAPSHOT_NOT_FOUND" });
});

const NESTED: Schema = {
  schemaId: 0,
  fields: [
    { id: 1, name: "n", required: false, type: { kind: "int" } },
    {
      id: 2,
      name: "s",
      required: false,
      type: { kind: "struct", fields: [{ id: 3, name: "k", required: false, type: { kind: "string" } }] },
    },
    { id: 4, name: "f", required: false, type: { kind: "double" } },
  ],
  identifierFieldIds: [],
};

async function replaced(before: readonly CellStruct[], after: readonly CellStruct[], formatVersion: 2 | 3 = 2) {
  const table = await WrittenTable.create({ schema: NESTED, formatVersion });
  const put = async (name: string, rows: readonly CellStruct[]) => {
    const filePath = `${(await table.load()).metadata.location}/data/${name}.parquet`;
    const writer = openDataFileWriter({ schema: NESTED, output: await table.io.openWrite(filePath) });
    await writer.write(batchOfRows(NESTED, rows));
    return [parquetDataFile(await writer.finish(), { filePath, specId: 0, partition: [] })];
  };
  await table.commit(appendFiles({ dataFiles: await put("before", before) }));
  const from = (await table.head()).snapshotId;
  const { dataFiles } = await table.plan();
  await table.commit(overwriteFiles({ deletedFiles: dataFiles, addedFiles: await put("after", after) }));
  const { metadata } = await table.load();
  const told = async (identifierFields: string[]) => {
    const rows = await changelogRows(table.io, metadata, { from, identifierFields }, null);
    return rows.map(({ type, values }) => `${type} ${values}`);
  };
  return { table, metadata, from, told };
}

test("identifiers may be null, within structs and stand several times; floats are refused, and without any there are no pairs", async () => {
  const row = (n: number | null, k: string | null | undefined, f: number): CellStruct => ({
    n,
    s: k === undefined ? null : { k },
    f,
  });
  const { told } = await replaced(
    [row(null, "x", 0), row(null, "x", 1), row(null, "x", NaN), row(1, null, 0), row(2, undefined, 0)],
    [row(null, "x", NaN), row(null, "x", 2), row(1, null, -0), row(2, null, 0)],
  );
  // Equal copies drop out; of three rows of one key the two that are left went, and one came.
  expect(await told(["n", "s.k"])).toEqual([
    'UPDATE_BEFORE [null,{"k":"x"},0]',
    'DELETE [null,{"k":"x"},1]',
    'UPDATE_BEFORE [1,{"k":null},0]',
    "UPDATE_BEFORE [2,null,0]",
    'UPDATE_AFTER [null,{"k":"x"},2]',
    'UPDATE_AFTER [1,{"k":null},"-0"]',
    'UPDATE_AFTER [2,{"k":null},0]',
  ]);
  expect((await told([])).map((line) => line.split(" ")[0])).toEqual([
    ...["DELETE", "DELETE", "DELETE", "DELETE"],
    ...["INSERT", "INSERT", "INSERT"],
  ]);
  await expect(told(["f"])).rejects.toMatchObject({ code: "KEY_TYPE" });
  await expect(told(["s"])).rejects.toMatchObject({ code: "KEY_TYPE" });
});

test("rows of one key are matched in a time that grows with their number alone", { timeout: 300_000 }, async () => {
  const count = 30_000;
  const rows = (first: number): CellStruct[] =>
    Array.from({ length: count }, (_, i) => ({ n: null, s: null, f: first + i }));
  const { table, metadata, from } = await replaced(rows(0), rows(count / 2));
  const { updates, went } = await (async () => {
    const found = await changelogRows(table.io, metadata, { from, identifierFields: ["n"] }, null);
    const of = (type: string) => found.filter((each) => each.type === type).length;
    return { updates: [of("UPDATE_BEFORE"), of("UPDATE_AFTER")], went: of("DELETE") + of("INSERT") };
  })();
  expect([updates, went]).toEqual([[count / 2, count / 2], 0]);
});

/** Notes what is read. */
function watched(io: FileIO): { readonly io: FileIO; readonly read: Set<string> } {
  const read = new Set<string>();
  const noting = Object.create(io, {
    read: { value: (location: string) => (read.add(location), io.read(location)) },
    readRange: {
      value: (location: string, offset: number, length: number) => (
        read.add(location),
        io.readRange(location, offset, length)
      ),
    },
  }) as FileIO;
  return { io: noting, read };
}

test("what a filter leaves out is not read, and an update that crosses its edge is the one side that fulfils it", async () => {
  const cases = await Cases.create();
  const { table } = cases;
  await table.commit(appendFiles({ dataFiles: await cases.file("1a", "2a") }));
  await table.commit(appendFiles({ dataFiles: await cases.file("11a", "12a") }));
  const from = await cases.newest();
  await table.commit(
    rowDelta({
      dataFiles: [...(await cases.file("1b", "2c")), ...(await cases.file("11b"))],
      deletedRows: [await cases.rowsOf(1, 0, 1), await cases.rowsOf(2, 0)],
    }),
  );
  const { metadata } = await table.load();
  const { io, read } = watched(table.io);
  const told = async (filter: Expression) =>
    (await changelogRows(io, metadata, { from, filter }, 0)).map(({ type, values }) => `${type} ${values}`);
  expect(await told({ type: "lt", term: "id", value: 10n })).toEqual([
    'UPDATE_BEFORE ["1","a"]',
    'UPDATE_BEFORE ["2","a"]',
    'UPDATE_AFTER ["1","b"]',
    'UPDATE_AFTER ["2","c"]',
  ]);
  const opened = [...read].flatMap((location) => /c\d+(?=\.parquet$)/.exec(location)?.[0] ?? []);
  expect(opened.sort()).toEqual(["c1", "c3"]);
  expect(new Set(await told({ type: "eq", term: "part", value: "a" }))).toEqual(
    new Set(['DELETE ["1","a"]', 'DELETE ["2","a"]', 'DELETE ["11","a"]']),
  );
  expect(new Set(await told({ type: "eq", term: "part", value: "b" }))).toEqual(
    new Set(['INSERT ["1","b"]', 'INSERT ["11","b"]']),
  );
  await expect(told({ type: "eq", term: "nobody", value: 1n })).rejects.toMatchObject({ kind: "config" });
});

test("manifests that both snapshots have are read where they may be about what changed alone", async () => {
  const cases = await Cases.create({ spec: BY_PART });
  const { table } = cases;
  await table.commit(appendFiles({ dataFiles: await cases.file("1a", "2a", "3a") }));
  await table.commit(appendFiles({ dataFiles: await cases.file("1b", "2b") }));
  await table.commit(rowDelta({ deletedRows: [await cases.rowsOf(2, 0)] }));
  await table.commit(rowDelta({ deletedRows: [await cases.rowsOf(1, 0)] }));
  const before = await table.head();
  await table.commit(rowDelta({ deletedRows: [await cases.rowsOf(1, 1)] }));
  const { metadata } = await table.load();
  const after = await table.head();
  const { io, read } = watched(table.io);
  const { deleted, inserted } = await diffSnapshots(io, metadata, before, after);
  expect([deleted.map(({ positions }) => [...must(positions, "positions").toArray()]), inserted]).toEqual([[[1]], []]);
  const isLive = (each: ManifestFile) => each.addedFilesCount !== 0 || each.existingFilesCount !== 0;
  const manifests = (await readManifestList(table.io, after)).filter(isLive);
  const readOf = (part: string) => {
    const mine = manifests.filter(({ partitions }) => utf8(partitions?.[0]?.lowerBound) === part);
    return mine.map(({ content, path }) => `${content} ${read.has(path)}`).sort();
  };
  expect(readOf("a")).toEqual(["data true", "deletes true"]);
  expect(readOf("b")).toEqual(["data false", "deletes false"]);
});

function utf8(bytes: Uint8Array | null | undefined): string {
  return new TextDecoder().decode(must(bytes, "a bound"));
}
