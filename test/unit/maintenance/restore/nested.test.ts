import { expect, it } from "vitest";
import { restoreRows } from "../../../../src/maintenance/restore/restore.ts";
import { rowsToRestore } from "../../../../src/query/restore.ts";
import type { Warehouse } from "../../../../src/warehouse.ts";
import {
  batchOfRows,
  type CellStruct,
  commitOperations,
  createManifestCache,
  currentSchema,
  currentSnapshot,
  type DataFile,
  type LoadedTable,
  must,
  newSchema,
  openDataFileWriter,
  parquetDataFile,
  planSnapshot,
  RoaringBitmap,
  rowDelta,
  snapshotById,
} from "../../../../table-format/index.ts";
import { list, struct } from "../../../support/nested-types.ts";
import { virtualRuntime } from "../../../support/virtual-runtime.ts";
import { createTable, queryLines, temporaryWarehouse } from "../../query/local-warehouse.ts";

const IDENT = { namespace: ["shop"], name: "places" };
const LONG = { kind: "long" } as const;
const SCHEMA = newSchema(
  [
    { name: "id", type: LONG, required: true },
    { name: "place", type: struct(["city", { kind: "string" }], ["spots", list(LONG)]), required: false },
  ],
  ["id"],
);

async function fileOf(warehouse: Warehouse, name: string, rows: readonly CellStruct[]): Promise<DataFile> {
  const { metadata } = await load(warehouse);
  const schema = currentSchema(metadata);
  const filePath = `${metadata.location}/data/${name}.parquet`;
  const writer = openDataFileWriter({
    schema,
    output: await warehouse.io.openWrite(filePath),
    rowGroupSizeBytes: 200,
  });
  for (const row of rows) await writer.write(batchOfRows(schema, [row]));
  return parquetDataFile(await writer.finish(), { filePath, specId: 0, partition: [] });
}

async function load(warehouse: Warehouse): Promise<LoadedTable> {
  return must(await warehouse.catalog.loadTable(IDENT), "the table");
}

it("brings rows with structs and lists back as they were", async () => {
  await using warehouse = await temporaryWarehouse();
  await createTable(warehouse, IDENT, SCHEMA);
  let nowMs = 1_796_000_000_000;
  let uuids = 0;
  const context = {
    ...warehouse,
    nowMs: () => (nowMs += 1000),
    uuid: () => `00000000-0000-4000-8000-${String(uuids++).padStart(12, "0")}`,
    sleep: async () => undefined,
  };
  const rows = Array.from({ length: 40 }, (_, id) => {
    const place = { city: id % 2 === 0 ? null : `city ${id}`, spots: [BigInt(id), null] };
    return { id: BigInt(id), place: id === 7 ? null : place };
  });
  await commitOperations(context, await load(warehouse), rowDelta({ dataFiles: [await fileOf(warehouse, "a", rows)] }));
  const then = must((await load(warehouse)).metadata.currentSnapshotId, "a snapshot");
  const before = await queryLines(warehouse, "FROM shop.places ORDER BY id");

  const table = await load(warehouse);
  const snapshot = must(currentSnapshot(table.metadata), "a snapshot");
  const dataFile = must((await planSnapshot(warehouse.io, table.metadata, snapshot)).dataFiles[0], "a file");
  const changed = await fileOf(warehouse, "b", [{ id: 3n, place: { city: "elsewhere", spots: [] } }]);
  const gone = RoaringBitmap.from([3, 7, 20, 39]);
  await commitOperations(
    context,
    table,
    rowDelta({ dataFiles: [changed], deletedRows: [{ dataFile, positions: gone }] }),
  );
  expect(await queryLines(warehouse, "FROM shop.places ORDER BY id")).not.toEqual(before);

  const find = (base: LoadedTable) =>
    rowsToRestore(warehouse, base, must(snapshotById(base.metadata, then), "then"), { where: "true" }, false);
  const now = await load(warehouse);
  const done = { ...warehouse, runtime: virtualRuntime(3), manifests: createManifestCache(10) };
  await restoreRows(done, { table: now, from: then, rows: await find(now), find });
  expect(await queryLines(warehouse, "FROM shop.places ORDER BY id")).toEqual(before);
});
