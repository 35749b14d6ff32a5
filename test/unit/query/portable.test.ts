import { DuckDBInstance } from "@duckdb/node-api";
import { describe, expect, it } from "vitest";
import { portableStatement } from "../../../src/query/portable.ts";
import type { QueryWarehouse } from "../../../src/query/query-warehouse.ts";
import { newSchema } from "../../../table-format/index.ts";
import { TestTable } from "../table-format/test-table.ts";
import { appendColumns, createTable, temporaryWarehouse } from "./local-warehouse.ts";

/** What a DuckDB that knows nothing of us makes of a script: the rows of its last statement. */
async function pasted(script: string): Promise<unknown> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    const reader = await connection.runAndReadAll(script);
    return reader.getRowObjectsJson();
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

const SCHEMA = newSchema(
  [
    { name: "id", type: { kind: "long" }, required: true },
    { name: "a 'name'", type: { kind: "string" }, required: false },
  ],
  ["id"],
);

describe("a statement for another DuckDB", () => {
  it("reads the files of a table without deletes, now and then", async () => {
    await using warehouse = await temporaryWarehouse();
    const ident = { namespace: ["shop"], name: "orders" };
    await createTable(warehouse, ident, SCHEMA);
    const first = await appendColumns(warehouse, ident, [[1n], ["x"]]);
    await appendColumns(warehouse, ident, [[2n], [null]]);
    const sql = "SELECT * FROM orders ORDER BY id;";
    const script = await portableStatement(warehouse, sql, null, {});
    expect(script).not.toContain("iceberg");
    expect(await pasted(script)).toEqual([
      { id: "1", "a 'name'": "x" },
      { id: "2", "a 'name'": null },
    ]);
    const then = await portableStatement(warehouse, "SELECT * FROM shop.orders", String(first), {});
    expect(then).toContain(`-- shop.orders: snapshot ${first}\n`);
    expect(await pasted(then)).toEqual([{ id: "1", "a 'name'": "x" }]);
  });

  it("leaves deletes to the iceberg extension, and names metadata file and snapshot", async () => {
    await using warehouse = await temporaryWarehouse();
    const table = await TestTable.create(warehouse.io, warehouse.catalog, { formatVersion: 3 });
    await table.change({
      insert: [
        { id: 1n, name: null, day: null },
        { id: 2n, name: null, day: null },
      ],
    });
    await table.change({ delete: [1n] });
    const { metadataLocation } = (await warehouse.catalog.loadTable(table.ident))!;
    const script = await portableStatement(warehouse, "SELECT count(*) FROM ns.t", null, {});
    expect(script.split("\n").slice(0, 2)).toEqual(["INSTALL iceberg;", "LOAD iceberg;"]);
    expect(script).toContain(
      `iceberg_scan('${metadataLocation}', snapshot_from_id = ${table.snapshot.snapshotId});\nSELECT count(*) FROM ns.t;\n`,
    );
  });

  it("tells how to reach a store, without credentials", async () => {
    await using local = await temporaryWarehouse();
    const warehouse: QueryWarehouse = { ...local, location: "s3://lake/w", localPath: null };
    const access = { endpoint: "http://localhost:9000", region: "eu", secretAccessKey: "hush" };
    const script = await portableStatement(warehouse, "SELECT 1", null, access);
    expect(script).toBe(
      "INSTALL httpfs; LOAD httpfs; INSTALL aws; LOAD aws;\n" +
        "CREATE OR REPLACE SECRET (TYPE s3, PROVIDER credential_chain, REGION 'eu', ENDPOINT 'localhost:9000', USE_SSL false, URL_STYLE 'path');\n" +
        "SELECT 1;\n",
    );
  });
});
