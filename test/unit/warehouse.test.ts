import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseWarehouse } from "../../src/config/load.ts";
import { openSession } from "../../src/query/session.ts";
import { openWarehouse, type Warehouse } from "../../src/warehouse.ts";
import {
  commitOperations,
  currentSnapshot,
  fastAppend,
  newSchema,
  openDataFileWriter,
  scanRows,
} from "../../table-format/index.ts";
import { appendColumns, createTable, testWarehouse } from "./query/local-warehouse.ts";
import { columnOf } from "./table-format/columns.ts";
import { dataFile } from "./table-format/data-file.ts";

const ORDERS = { namespace: ["shop"], name: "orders" };
const folder = mkdtempSync(join(tmpdir(), "frazil-confined-"));
const [inside, added] = [join(folder, "warehouse"), join(folder, "added")];
const foreign = `${added}/rows.parquet`;
const runtime = {
  clock: { nowMs: () => 1_795_000_000_000, monotonicMs: () => 0, sleep: async () => {} },
  random: { uint32: () => 7 },
  log: { debug() {}, info() {}, warn() {}, error() {} },
};
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const opened = async (confinedTo: string[] | undefined): Promise<Warehouse> =>
  openWarehouse(
    parseWarehouse({ location: inside, ...(confinedTo !== undefined && { confined_to: confinedTo }) }, {}),
    runtime,
    "read",
  );

async function count(warehouse: Warehouse): Promise<string[]> {
  const session = await openSession(warehouse);
  try {
    const { chunks } = await session.query("SELECT count(*) AS n FROM shop.orders", null);
    const found: string[] = [];
    for await (const rows of chunks()) for (const row of rows) found.push(row.map(String).join());
    return found;
  } finally {
    await session.close();
    await warehouse.catalog.close();
  }
}

describe("a warehouse whose table names a file elsewhere", () => {
  beforeAll(async () => {
    const warehouse = await testWarehouse(inside, {});
    const schema = newSchema([{ name: "id", type: { kind: "long" }, required: true }], ["id"]);
    await createTable(warehouse, ORDERS, schema);
    await appendColumns(warehouse, ORDERS, [[1n, 2n]]);
    mkdirSync(added);
    const writer = openDataFileWriter({ schema, output: await warehouse.io.openWrite(foreign) });
    await writer.write({ length: 1, columns: [columnOf({ kind: "long" }, [3n])] });
    const file = dataFile({ ...(await writer.finish()), filePath: foreign });
    const table = (await warehouse.catalog.loadTable(ORDERS))!;
    const context = {
      ...warehouse,
      nowMs: () => 1_796_000_000_000,
      uuid: () => "8a3c4d5e-0000-4000-8000-00000000000a",
    };
    await commitOperations({ ...context, sleep: async () => {} }, table, fastAppend({ dataFiles: [file] }));
    await warehouse.catalog.close();
  });

  it("is read whole unless it is confined", async () => {
    const { io, catalog } = await opened(undefined);
    const { metadata } = (await catalog.loadTable(ORDERS))!;
    let rows = 0;
    for await (const { length } of scanRows(io, metadata, currentSnapshot(metadata)!)) rows += length;
    expect(rows).toBe(3);
    await catalog.close();
  });

  it("is refused when it is confined, naming the file and the setting", async () => {
    await expect(count(await opened([]))).rejects.toMatchObject({
      kind: "permission",
      code: "OUTSIDE_TABLE",
      message: expect.stringContaining(foreign),
      hint: expect.stringContaining("warehouse.confined_to"),
    });
  });

  it("is read whole when the folder is named, however it is spelled", async () => {
    for (const name of [added, `file://${added}`, `file:${added}/`]) {
      expect(await count(await opened([name])), name).toEqual(["3"]);
    }
  });

  it("touches nothing outside, by no way of writing a location", async () => {
    const { io, catalog } = await opened([]);
    for (const location of [foreign, `file://${foreign}`, `${inside}/../added/rows.parquet`, `${inside}-other/x`]) {
      await expect(io.read(location)).rejects.toMatchObject({ code: "OUTSIDE_TABLE" });
      await expect(io.delete(location)).rejects.toMatchObject({ code: "OUTSIDE_TABLE" });
    }
    expect(await io.stat(`file://${inside}/nothing`)).toBeNull();
    await catalog.close();
  });
});
