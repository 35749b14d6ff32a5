import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Environment } from "../../../src/config/interpolate.ts";
import { warehouseAt } from "../../../src/config/load.ts";
import type { QueryWarehouse } from "../../../src/query/query-warehouse.ts";
import { openQuery } from "../../../src/query/query.ts";
import type { ResultRows } from "../../../src/query/duckdb.ts";
import { cellPrinter, jsonRow } from "../../../src/query/cells.ts";
import { openWarehouse, type Warehouse } from "../../../src/warehouse.ts";
import {
  type Cell,
  isPrimitive,
  openDataFileWriter,
  parquetDataFile,
  type Schema,
  type TableIdent,
  type TableUpdate,
  type Value,
} from "../../../table-format/index.ts";
import { newSnapshot } from "../../support/new-snapshot.ts";
import { columnOf } from "../table-format/columns.ts";

/** A warehouse in a folder of its own, or below that under a name, with the sqlite catalog. Its clock moves one second a call, its ids count. */
export async function temporaryWarehouse(name = ""): Promise<Warehouse & AsyncDisposable> {
  const folder = mkdtempSync(join(tmpdir(), "frazil-test-"));
  const warehouse = await testWarehouse(join(folder, name), {});
  return {
    ...warehouse,
    async [Symbol.asyncDispose]() {
      await warehouse.catalog.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What `--warehouse` opens, made when missing. */
export async function testWarehouse(location: string, env: Environment): Promise<Warehouse> {
  let nowMs = 1_795_000_000_000;
  let random = 1;
  return openWarehouse(
    warehouseAt(location, env),
    {
      clock: { nowMs: () => (nowMs += 1000), monotonicMs: () => nowMs, sleep: async () => {} },
      random: { uint32: () => random++ },
      log: { debug() {}, info() {}, warn() {}, error() {} },
    },
    "create",
  );
}

/** A new table without rows. */
export async function createTable(
  warehouse: Warehouse,
  ident: TableIdent,
  schema: Schema,
  formatVersion: 2 | 3 = 3,
): Promise<void> {
  await warehouse.catalog.ensureNamespace(ident.namespace);
  await commit(warehouse, ident, [
    { action: "assign-uuid", uuid: "8a3c4d5e-0000-4000-8000-000000000001" },
    { action: "upgrade-format-version", formatVersion },
    { action: "add-schema", schema, lastColumnId: Math.max(...schema.fields.map((field) => field.id)) },
    { action: "set-current-schema", schemaId: -1 },
    { action: "add-spec", spec: { specId: 0, fields: [] } },
    { action: "set-default-spec", specId: -1 },
    { action: "add-sort-order", sortOrder: { orderId: 0, fields: [] } },
    { action: "set-default-sort-order", sortOrderId: -1 },
    { action: "set-location", location: warehouse.catalog.defaultLocation(ident) },
  ]);
}

/** Commits updates without conditions, but for a table's creation. */
export async function commit(warehouse: Warehouse, ident: TableIdent, updates: readonly TableUpdate[]): Promise<void> {
  const isNew = (await warehouse.catalog.loadTable(ident)) === null;
  const outcome = await warehouse.catalog.commit([
    { ident, requirements: isNew ? [{ type: "assert-create" }] : [], updates },
  ]);
  if (outcome.outcome !== "committed") throw new Error(`commit: ${JSON.stringify(outcome, (_, v) => String(v))}`);
}

let snapshots = 0n;

/** Appends one file with a column of values a field of the table's current schema; gives the snapshot's id. */
export async function appendColumns(
  warehouse: Warehouse,
  ident: TableIdent,
  columns: readonly (readonly (Cell | null)[])[],
): Promise<bigint> {
  const { metadata } = (await warehouse.catalog.loadTable(ident))!;
  const schema = metadata.schemas.find(({ schemaId }) => schemaId === metadata.currentSchemaId)!;
  const snapshotId = 4_000_000_000_000_000n + ++snapshots;
  const filePath = `${metadata.location}/data/${snapshotId}.parquet`;
  const writer = openDataFileWriter({ schema, output: await warehouse.io.openWrite(filePath) });
  await writer.write({
    length: columns[0]!.length,
    columns: columns.map((values, index) => {
      const { type } = schema.fields[index]!;
      if (isPrimitive(type)) return columnOf(type, values as readonly (Value | null)[]);
      return { layout: "cells", type, length: values.length, values };
    }),
  });
  const file = parquetDataFile(await writer.finish(), { filePath, specId: 0, partition: [] });
  const timestampMs = metadata.lastUpdatedMs + 1000n;
  const updates = await newSnapshot(warehouse.io, metadata, { snapshotId, timestampMs, addedDataFiles: [file] });
  await commit(warehouse, ident, updates);
  return snapshotId;
}

/** The lines that `--json` prints. */
export async function jsonLines(result: ResultRows): Promise<string[]> {
  const printers = result.types.map(cellPrinter);
  const lines: string[] = [];
  for await (const rows of result.chunks()) {
    for (const row of rows) {
      lines.push(
        jsonRow(
          result.names,
          row.map((value, index) => printers[index]!.json(value)),
        ),
      );
    }
  }
  return lines;
}

/** Runs a query and gives its lines. */
export async function queryLines(
  warehouse: QueryWarehouse,
  sql: string,
  asOf: string | null = null,
): Promise<string[]> {
  const query = await openQuery(warehouse, sql, asOf);
  try {
    return await jsonLines(query);
  } finally {
    await query.close();
  }
}
