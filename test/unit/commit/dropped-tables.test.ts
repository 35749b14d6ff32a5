import { mkdtempSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openSqliteCatalog } from "../../../src/catalogs/sqlite.ts";
import { change, memoryWarehouse, Process, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { tableRows } from "../../support/table-rows.ts";
import { newSchema, type TableUpdate } from "../../../table-format/index.ts";

const RULES = [upsertRule("a"), upsertRule("b"), upsertRule("c")];

/** A warehouse whose tables somebody can drop behind the back of a pipeline. */
interface Lake {
  readonly warehouse: Warehouse;
  drop(table: string): Promise<void>;
}

function objectStoreLake(): Lake {
  const warehouse = memoryWarehouse("object-store");
  return {
    warehouse,
    async drop(table) {
      for await (const { location } of warehouse.io.list(`mem://w/shop/${table}`)) await warehouse.io.delete(location);
    },
  };
}

function sqliteLake(folder: string): Lake {
  const path = join(folder, "catalog.sqlite");
  const { io } = memoryWarehouse("memory");
  let uuids = 0;
  const uuid = () => `00000000-0000-4000-8000-${String(++uuids).padStart(12, "0")}`;
  const catalog = openSqliteCatalog({ path, name: "test", warehouseLocation: "mem://w", io, nowMs: () => 1, uuid });
  return {
    warehouse: { io, catalog, fault: () => undefined },
    async drop(table) {
      const database = new DatabaseSync(path);
      database.prepare("DELETE FROM iceberg_tables WHERE table_name = ?").run(table);
      database.close();
    },
  };
}

/** Makes a table as another engine would. */
async function createForeign({ catalog }: Warehouse, name: string): Promise<void> {
  const ident = { namespace: ["shop"], name };
  const schema = newSchema([{ name: "id", type: { kind: "long" }, required: true }], []);
  const updates: TableUpdate[] = [
    { action: "assign-uuid", uuid: "10000000-0000-4000-8000-000000000000" },
    { action: "upgrade-format-version", formatVersion: 3 },
    { action: "add-schema", schema, lastColumnId: 1 },
    { action: "set-current-schema", schemaId: -1 },
    { action: "add-spec", spec: { specId: 0, fields: [] } },
    { action: "set-default-spec", specId: -1 },
    { action: "add-sort-order", sortOrder: { orderId: 0, fields: [] } },
    { action: "set-default-sort-order", sortOrderId: -1 },
    { action: "set-location", location: catalog.defaultLocation(ident) },
  ];
  const outcome = await catalog.commit([{ ident, requirements: [{ type: "assert-create" }], updates }]);
  expect(outcome).toMatchObject({ outcome: "committed" });
}

describe.each(["sqlite", "object-store"] as const)("a table that somebody drops, on a catalog of kind %s", (kind) => {
  let folder: string;
  let lake: Lake;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "frazil-dropped-"));
    lake = kind === "sqlite" ? sqliteLake(folder) : objectStoreLake();
    const process = await Process.start(lake.warehouse, RULES);
    await process.checkpoint([change("a", "+1:x:1"), change("b", "+2:x:2")]);
    await process.checkpoint([change("a", "+3:x:3")]);
  });
  afterEach(async () => {
    await lake.warehouse.catalog.close();
    rmSync(folder, { recursive: true });
  });

  it.each(["a", "b"])(
    "stops the next start (shop.%s), which takes nothing over, however often it is tried",
    async (name) => {
      const snapshots = async () =>
        (await lake.warehouse.catalog.loadTable({ namespace: ["shop"], name: name === "a" ? "b" : "a" }))?.metadata
          .snapshots;
      const before = await snapshots();
      await lake.drop(name);
      for (let attempt = 0; attempt < 2; attempt++) {
        const starting = Process.start(lake.warehouse, RULES);
        await expect(starting).rejects.toMatchObject({
          kind: "data",
          code: name === "a" ? "ANCHOR_DROPPED" : "TABLE_DROPPED",
          message: expect.stringContaining(`shop.${name}`),
          hint: expect.stringContaining("another name"),
        });
      }
      expect(await snapshots()).toEqual(before);
    },
  );

  it.each(["a", "b"])("and makes again stops the next start (shop.%s)", async (name) => {
    await lake.drop(name);
    await createForeign(lake.warehouse, name);
    await expect(Process.start(lake.warehouse, RULES)).rejects.toMatchObject({
      kind: "data",
      message: expect.stringContaining(`shop.${name}`),
    });
  });

  it("is missed although no checkpoint has followed the one that opened it", async () => {
    const process = await Process.start(lake.warehouse, RULES);
    await process.checkpoint([change("c", "+9:x:9")]);
    await lake.drop("c");
    await expect(Process.start(lake.warehouse, RULES)).rejects.toMatchObject({ code: "TABLE_DROPPED" });
  });

  it.each([false, true])("stops the job at its next checkpoint while it runs (made again: %s)", async (again) => {
    const process = await Process.start(lake.warehouse, RULES);
    await lake.drop("b");
    if (again) await createForeign(lake.warehouse, "b");
    const code = again ? "TABLE_REPLACED" : "TABLE_DROPPED";
    await expect(process.committer.checkStillOwner()).rejects.toMatchObject({ kind: "data", code });
    await expect(process.checkpoint([change("b", "~2:y:2")])).rejects.toMatchObject({ kind: "data", code });
    expect(await tableRows(lake.warehouse.io, lake.warehouse.catalog, { namespace: ["shop"], name: "a" })).toEqual([
      "1|x|1",
      "3|x|3",
    ]);
  });
});
