import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDuckdb } from "../../../src/query/duckdb.ts";
import { openQuery } from "../../../src/query/query.ts";
import type { Warehouse } from "../../../src/warehouse.ts";
import { newSchema } from "../../../table-format/index.ts";
import { appendColumns, createTable, temporaryWarehouse } from "./local-warehouse.ts";

let warehouse: Warehouse & AsyncDisposable;
beforeAll(async () => {
  warehouse = await temporaryWarehouse();
});
afterAll(() => warehouse[Symbol.asyncDispose]());

/** How many rows a query gives before it ends, and what it ends with. */
async function outcome(sql: string): Promise<{ rows: number; error: unknown }> {
  const query = await openQuery(warehouse, sql, null);
  let rows = 0;
  try {
    for await (const part of query.chunks()) rows += part.length;
    return { rows, error: null };
  } catch (error) {
    return { rows, error };
  } finally {
    await query.close();
  }
}

// DuckDB's stream gives no chunk when it fails, as it does at its end: what was buffered, whole small files of it, is not in the result.
describe("a result that breaks off", () => {
  it("is a failure with DuckDB's reason, not a shorter result", async () => {
    const { rows, error } = await outcome(
      "SELECT CASE WHEN i = 900_000 THEN error('worn out') ELSE i END AS i FROM range(1_000_000) t(i)",
    );
    expect(rows).toBeGreaterThan(0);
    expect(error).toMatchObject({ kind: "data", code: "QUERY_FAILED", message: "Invalid Input Error: worn out" });
  });

  it("is a failure when a file behind the first rows cannot be read", async () => {
    const ident = { namespace: ["shop"], name: "many" };
    const schema = newSchema([{ name: "id", type: { kind: "long" }, required: true }], ["id"]);
    await createTable(warehouse, ident, schema);
    const perFile = 100;
    const files: string[] = [];
    for (let file = 0; file < 12; file++) {
      const ids = Array.from({ length: perFile }, (_, row) => BigInt(file * perFile + row));
      const snapshotId = await appendColumns(warehouse, ident, [ids]);
      files.push(`${warehouse.location}/shop/many/data/${snapshotId}.parquet`);
    }
    // So wide that the stream's buffer (1 MB) holds less than all of it: what fails before it is full fails at once.
    const sql = `SELECT ${Array.from({ length: 400 }, (_, column) => `id::VARCHAR AS c${column}`).join(", ")} FROM shop.many`;
    expect(await outcome(sql)).toEqual({ rows: 12 * perFile, error: null });
    breakPages(files[6] as string);
    const { rows, error } = await outcome(sql);
    expect(rows).toBeGreaterThan(0);
    expect(rows).toBeLessThan(12 * perFile);
    expect(error).toMatchObject({ code: "QUERY_FAILED" });
  });

  it("says so when the reason has gone away", async () => {
    const duckdb = await openDuckdb(tmpdir());
    try {
      // The second run goes on behind the number that the first one fails at.
      await duckdb.run("CREATE SEQUENCE s");
      const { chunks } = await duckdb.query(
        "SELECT CASE WHEN nextval('s') = 900_000 THEN error('once') ELSE i END AS i FROM range(1_000_000) t(i)",
      );
      const read = async (): Promise<void> => {
        for await (const part of chunks()) expect(part.length).toBeGreaterThan(0);
      };
      await expect(read()).rejects.toMatchObject({
        code: "QUERY_FAILED",
        message: expect.stringMatching(/^DuckDB broke off behind row \d+ without a reason$/) as string,
      });
    } finally {
      duckdb.close();
    }
  });

  it("is none when there are no rows", async () => {
    expect(await outcome("SELECT 1 WHERE false")).toEqual({ rows: 0, error: null });
    expect(await outcome("PIVOT (SELECT 1 AS a, 'x' AS b) ON b USING sum(a)")).toEqual({ rows: 1, error: null });
  });
});

it("a statement of ours that finds no room is told as that", async () => {
  const duckdb = await openDuckdb(tmpdir());
  try {
    await duckdb.run("SET memory_limit = '8MB'; SET max_temp_directory_size = '0KB'");
    await expect(
      duckdb.run("CREATE TABLE t AS SELECT hash(range) AS a, hash(range + 1) AS b FROM range(3000000)"),
    ).rejects.toMatchObject({ kind: "io", code: "OUT_OF_MEMORY" });
  } finally {
    duckdb.close();
  }
});

/** Overwrites the pages of a Parquet file and leaves its footer. */
function breakPages(path: string): void {
  const bytes = readFileSync(path);
  const pages = bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8);
  const file = openSync(path, "r+");
  writeSync(file, Buffer.alloc(pages - 4, 0xff), 0, pages - 4, 4);
  closeSync(file);
}
