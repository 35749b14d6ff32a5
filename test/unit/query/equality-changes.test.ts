import { expect, it } from "vitest";
import { openDiff } from "../../../src/query/diff.ts";
import { openScratchFolder } from "../../../src/storage/local-scratch.ts";
import {
  createBuilder,
  type DataFile,
  openDataFileWriter,
  parquetDataFile,
  type Schema,
} from "../../../table-format/index.ts";
import { encodeAvroFile } from "../../../table-format/avro/container.ts";
import { memoryWarehouse } from "../../support/checkpoints.ts";
import { copyTable } from "../../support/table-chain.ts";
import { tableRows } from "../../support/table-rows.ts";
import { dataFile } from "../table-format/data-file.ts";
import { type Row, TestTable } from "../table-format/test-table.ts";
import { jsonLines, queryLines } from "./local-warehouse.ts";

const KEY: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [{ id: 1, name: "id", required: true, type: { kind: "long" } }],
};
const row = (id: number, name: string): Row => ({ id: BigInt(id), name, day: null });

/** Deletes keys by an equality delete file alone, as Flink does. */
async function deleteByKey(table: TestTable, snapshotId: bigint, ids: readonly bigint[]): Promise<void> {
  const filePath = `${table.metadata.location}/data/equality-${snapshotId}.parquet`;
  const builder = createBuilder({ kind: "long" });
  for (const id of ids) builder.appendI64(id);
  const writer = openDataFileWriter({ schema: KEY, output: await table.io.openWrite(filePath) });
  await writer.write({ length: ids.length, columns: [builder.finish()] });
  const file: DataFile = {
    ...parquetDataFile(await writer.finish(), { filePath, specId: 0, partition: [] }),
    content: "equality-deletes",
    equalityIds: [1],
  };
  await table.commit({
    snapshotId,
    addedDataFiles: [],
    removedDataFiles: [],
    addedDeleteFiles: [file],
    removedDeleteFiles: [],
    summary: new Map(),
  });
}

it("rows under equality deletes are read, and what they hide is told as deletes", async () => {
  const place = memoryWarehouse("memory");
  const warehouse = { ...place, location: "mem://w", localPath: null, scratch: openScratchFolder };
  const table = await TestTable.create(place.io, place.catalog, { formatVersion: 2 });
  await table.change({ insert: [row(1, "a"), row(2, "b"), row(3, "c")] });
  await copyTable(place, "ns.t", "shop.b", { seed: 1 });
  const before = table.snapshot.snapshotId;
  await deleteByKey(table, 77n, [2n, 3n, 9n]);
  await table.change({ insert: [row(3, "new"), row(4, "d")] });
  // The row that came later is not hidden.
  const expected = ["1 a", "3 new", "4 d"];
  const read = (await queryLines(warehouse, "SELECT id, name FROM ns.t ORDER BY id")).map(
    (line) => JSON.parse(line) as Row,
  );
  expect(read.map(({ id, name }) => `${id} ${name}`)).toEqual(expected);
  const diff = await openDiff(warehouse, table.table, `${before}..`);
  const told = (await jsonLines(diff)).map((line) => JSON.parse(line) as Row & { readonly _op: string });
  await diff.close();
  expect(told.map(({ _op, id, name }) => `${_op} ${id} ${name}`)).toEqual([
    "delete 2 b",
    "update_before 3 c",
    "update_after 3 new",
    "insert 4 d",
  ]);
  await copyTable(place, "ns.t", "shop.b", { seed: 2 });
  const copied = await tableRows(place.io, place.catalog, { namespace: ["shop"], name: "b" });
  expect(copied.map((line) => line.split("|").slice(0, 2).join(" "))).toEqual(expected);
});

/** Adds rows as an Avro file. */
async function addAvro(table: TestTable, snapshotId: bigint, rows: readonly Row[]): Promise<void> {
  const filePath = `${table.metadata.location}/data/rows-${snapshotId}.avro`;
  const optional = (type: string) => ["null", type] as const;
  const fields = [
    { name: "id", type: "long", "field-id": 1 },
    { name: "name", type: optional("string"), "field-id": 2 },
  ];
  const schema = { type: "record", name: "row", fields };
  const bytes = encodeAvroFile(
    schema,
    new Map(),
    rows.map(({ id, name }) => [id, name]),
  );
  await table.io.write(filePath, bytes);
  const size = { recordCount: BigInt(rows.length), fileSizeBytes: BigInt(bytes.length) };
  const file = dataFile({ filePath, fileFormat: "AVRO", ...size });
  await table.commit({
    snapshotId,
    addedDataFiles: [file],
    removedDataFiles: [],
    addedDeleteFiles: [],
    removedDeleteFiles: [],
    summary: new Map(),
  });
}

it("a job reads the rows and the changes of Avro files", async () => {
  const place = memoryWarehouse("memory");
  const table = await TestTable.create(place.io, place.catalog, { formatVersion: 2 });
  const copy = async (seed: number): Promise<string[]> => {
    await copyTable(place, "ns.t", "shop.b", { seed });
    return tableRows(place.io, place.catalog, { namespace: ["shop"], name: "b" });
  };
  await addAvro(table, 5n, [row(1, "a"), row(2, "b"), row(3, "c")]);
  expect(await copy(1)).toEqual(["1|a|null", "2|b|null", "3|c|null"]);
  await deleteByKey(table, 6n, [1n, 2n]);
  await addAvro(table, 7n, [row(2, "new")]);
  expect(await copy(2)).toEqual(["2|new|null", "3|c|null"]);
});
