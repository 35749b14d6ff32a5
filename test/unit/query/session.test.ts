import { afterAll, beforeAll, expect, it } from "vitest";
import { cellPrinter, jsonRow } from "../../../src/query/cells.ts";
import { openSession, type QuerySession } from "../../../src/query/session.ts";
import type { Warehouse } from "../../../src/warehouse.ts";
import { newSchema } from "../../../table-format/index.ts";
import { appendColumns, createTable, temporaryWarehouse } from "./local-warehouse.ts";

const ORDERS = { namespace: ["shop"], name: "orders" };
const ITEMS = { namespace: ["shop"], name: "items" };

let warehouse: Warehouse & AsyncDisposable;
let session: QuerySession;
let first: bigint;

beforeAll(async () => {
  warehouse = await temporaryWarehouse();
  const schema = newSchema([{ name: "id", type: { kind: "long" }, required: true }], ["id"]);
  await createTable(warehouse, ORDERS, schema);
  await createTable(warehouse, ITEMS, schema);
  first = await appendColumns(warehouse, ORDERS, [[1n]]);
  await appendColumns(warehouse, ORDERS, [[2n]]);
  await appendColumns(warehouse, ITEMS, [[7n]]);
  session = await openSession(warehouse);
});
afterAll(async () => {
  await session.close();
  await warehouse[Symbol.asyncDispose]();
});

async function lines(sql: string, asOf: string | null = null): Promise<string[]> {
  const { names, types, chunks } = await session.query(sql, asOf);
  const printers = types.map(cellPrinter);
  const found: string[] = [];
  for await (const rows of chunks()) {
    if (names.length === 0) continue;
    for (const row of rows) {
      found.push(
        jsonRow(
          names,
          printers.map((printer, index) => printer.json(row[index] ?? null)),
        ),
      );
    }
  }
  return found;
}

it("keeps what a statement makes and sets for the next ones", async () => {
  expect(await lines("CREATE TEMP TABLE kept AS SELECT id FROM shop.orders")).toEqual([]);
  expect(await lines("INSERT INTO kept SELECT id FROM items")).toEqual([]);
  expect(await lines("SELECT sum(id) AS s FROM kept")).toEqual(['{"s":10}']);
  await lines("SET VARIABLE least = 2");
  expect(await lines("SELECT id FROM kept WHERE id >= getvariable('least') ORDER BY id")).toEqual([
    '{"id":2}',
    '{"id":7}',
  ]);
  await lines("SET TimeZone = 'Asia/Tokyo'");
  expect(await lines("SELECT current_setting('TimeZone') AS zone")).toEqual(['{"zone":"Asia/Tokyo"}']);
});

it("reads tables as they are at each statement, also behind a view of the user's", async () => {
  await lines("CREATE VIEW many AS SELECT count(*) AS n FROM shop.orders");
  expect(await lines("FROM many")).toEqual(['{"n":2}']);
  await appendColumns(warehouse, ORDERS, [[3n]]);
  expect(await lines("FROM many")).toEqual(['{"n":3}']);
  expect(await lines("FROM many", String(first))).toEqual(['{"n":1}']);
  expect(await lines("SELECT count(*) AS n FROM orders", String(first))).toEqual(['{"n":1}']);
  expect(await lines("SELECT count(*) AS n FROM orders")).toEqual(['{"n":3}']);
  // A point that one table has need not be in another that was named before.
  const items = (await warehouse.catalog.loadTable(ITEMS))?.metadata.currentSnapshotId;
  expect(await lines("SELECT id FROM shop.items", String(items))).toEqual(['{"id":7}']);
  expect(await lines("FROM many")).toEqual(['{"n":3}']);
});

it("lets a table of the user's go before one of the warehouse that has its name", async () => {
  await lines("CREATE TABLE items AS SELECT 'mine' AS whose");
  expect(await lines("FROM items")).toEqual(['{"whose":"mine"}']);
  expect(await lines("FROM shop.items")).toEqual(['{"id":7}']);
  await lines("DROP VIEW shop.items");
  expect(await lines("FROM shop.items")).toEqual(['{"id":7}']);
  expect(await lines("PIVOT (SELECT 1 AS a, 'x' AS b) ON b USING sum(a)")).toEqual(['{"x":1}']);
});

it("opens no other files and writes none", async () => {
  const inside = `${warehouse.location}/x.parquet`;
  for (const sql of [
    `COPY (SELECT 1) TO '${inside}' (FORMAT parquet)`,
    `EXPLAIN ANALYZE COPY (SELECT 1) TO '${inside}' (FORMAT parquet)`,
    `ATTACH '${warehouse.location}/x.db'`,
    "BEGIN",
    "INSERT INTO shop.orders VALUES (9)",
  ]) {
    await expect(lines(sql), sql).rejects.toMatchObject({ code: "SQL_ERROR" });
  }
  for (const sql of [
    "SELECT * FROM read_text('/etc/hostname')",
    "SET enable_external_access = true",
    "SET allowed_directories = ['/']",
  ]) {
    await expect(lines(sql), sql).rejects.toMatchObject({ code: "QUERY_FAILED" });
  }
});
