import { expect, it } from "vitest";
import { restoreRows } from "../../../../src/maintenance/restore/restore.ts";
import { rowsToRestore } from "../../../../src/query/restore.ts";
import type { Warehouse } from "../../../../src/warehouse.ts";
import {
  batchOfRows,
  type CellStruct,
  cellAt,
  commitOperations,
  createManifestCache,
  currentSchema,
  currentSnapshot,
  type DataFile,
  deletedPositions,
  type LoadedTable,
  must,
  newSchema,
  openDataFileWriter,
  parquetDataFile,
  planSnapshot,
  readColumns,
  RoaringBitmap,
  rowDelta,
  snapshotById,
} from "../../../../table-format/index.ts";
import { list, struct } from "../../../support/nested-types.ts";
import { virtualRuntime } from "../../../support/virtual-runtime.ts";
import { createTable, temporaryWarehouse } from "../../query/local-warehouse.ts";

const IDENT = { namespace: ["shop"], name: "times" };
const LONG = { kind: "long" } as const;
const TIME = { kind: "timestamptz_ns" } as const;
const SCHEMA = newSchema(
  [
    { name: "id", type: LONG, required: true },
    { name: "at", type: TIME, required: false },
    { name: "seen", type: struct(["times", list(TIME)]), required: false },
  ],
  ["id"],
);

const NOON = 1_796_000_000_000_000_000n;

async function fileOf(warehouse: Warehouse, name: string, rows: readonly CellStruct[]): Promise<DataFile> {
  const { metadata } = await load(warehouse);
  const schema = currentSchema(metadata);
  const filePath = `${metadata.location}/data/${name}.parquet`;
  const output = await warehouse.io.openWrite(filePath);
  const writer = openDataFileWriter({ schema, output, rowGroupSizeBytes: 200 });
  for (const row of rows) await writer.write(batchOfRows(schema, [row]));
  return parquetDataFile(await writer.finish(), { filePath, specId: 0, partition: [] });
}

async function load(warehouse: Warehouse): Promise<LoadedTable> {
  return must(await warehouse.catalog.loadTable(IDENT), "the table");
}

/** Live rows by their ids, read without DuckDB. */
async function rowsOf(warehouse: Warehouse): Promise<unknown[]> {
  const { metadata } = await load(warehouse);
  const plan = await planSnapshot(warehouse.io, metadata, must(currentSnapshot(metadata), "a snapshot"));
  const rows: unknown[][] = [];
  for (const { file } of plan.dataFiles) {
    const dead = await deletedPositions(warehouse.io).of(file, plan.deletes.get(file.filePath) ?? []);
    let start = 0;
    for await (const { length, columns } of readColumns(warehouse.io, metadata, file, currentSchema(metadata).fields)) {
      for (let row = 0; row < length; row++) {
        if (!dead.has(start + row)) rows.push(columns.map((column) => cellAt(column, row)));
      }
      start += length;
    }
  }
  return rows.toSorted(([a], [b]) => Number((a as bigint) - (b as bigint)));
}

/** DuckDB reads times with a zone to the microsecond: rows that differ in the last three digits alone once stayed as they were. */
it("brings back times with a zone that differ in nanoseconds alone", async () => {
  await using warehouse = await temporaryWarehouse();
  await createTable(warehouse, IDENT, SCHEMA);
  let nowMs = 1_796_000_000_000;
  const context = {
    ...warehouse,
    nowMs: () => (nowMs += 1000),
    uuid: () => crypto.randomUUID(),
    sleep: async () => undefined,
  };
  const at = (id: number, ns: bigint): CellStruct => ({
    id: BigInt(id),
    at: NOON + ns,
    seen: { times: [NOON + BigInt(id), null] },
  });
  const rows = Array.from({ length: 30 }, (_, id) => at(id, BigInt(id)));
  await commitOperations(context, await load(warehouse), rowDelta({ dataFiles: [await fileOf(warehouse, "a", rows)] }));
  const then = must((await load(warehouse)).metadata.currentSnapshotId, "a snapshot");
  const before = await rowsOf(warehouse);

  const table = await load(warehouse);
  const snapshot = must(currentSnapshot(table.metadata), "a snapshot");
  const dataFile = must((await planSnapshot(warehouse.io, table.metadata, snapshot)).dataFiles[0], "a file");
  // One differs in the column itself, one deep inside, one not at all, and one by a whole second.
  const inside: CellStruct = { ...at(7, 7n), seen: { times: [NOON + 999n, null] } };
  const changed = await fileOf(warehouse, "b", [at(9, 9n), at(3, 4n), inside, at(20, 1_000_000_000n)]);
  const gone = RoaringBitmap.from([3, 7, 9, 20]);
  await commitOperations(
    context,
    table,
    rowDelta({ dataFiles: [changed], deletedRows: [{ dataFile, positions: gone }] }),
  );
  expect(await rowsOf(warehouse)).not.toEqual(before);

  const find = (base: LoadedTable) =>
    rowsToRestore(warehouse, base, must(snapshotById(base.metadata, then), "then"), { where: "true" }, false);
  const now = await load(warehouse);
  const found = await find(now);
  expect(found.rows.map(({ before: { position } }) => position).toSorted((a, b) => a - b)).toEqual([3, 7, 20]);
  const done = { ...warehouse, runtime: virtualRuntime(3), manifests: createManifestCache(10) };
  await restoreRows(done, { table: now, from: then, rows: found, find });
  expect(await rowsOf(warehouse)).toEqual(before);
});
