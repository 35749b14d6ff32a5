import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, expect, test } from "vitest";
import { openSqliteCatalog } from "../../src/catalogs/sqlite.ts";
import { createLocalStorage } from "../../src/storage/local.ts";
import { createMemoryStorage } from "../../src/storage/memory.ts";
import type { Catalog, TableIdent } from "../../table-format/catalog/catalog.ts";
import type { ManagedCatalog } from "../../table-format/catalog/managed-catalog.ts";
import { MemoryCatalog } from "../../table-format/catalog/memory.ts";
import { ObjectStoreCatalog } from "../../table-format/catalog/object-store.ts";
import { RestCatalog } from "../../table-format/catalog/rest/rest-catalog.ts";
import { type RestServer, startRestServer } from "../support/rest/rest-server.ts";
import { creation, T0 } from "../unit/table-format/metadata/fixture.ts";
import { catalogSuite, type Lake } from "./catalog-suite.ts";

const context = { nowMs: () => Number(T0), uuid: () => crypto.randomUUID() };
const folders: string[] = [];
const open: Catalog[] = [];
const servers: RestServer[] = [];
afterAll(async () => {
  for (const catalog of open) await catalog.close();
  for (const server of servers) await server[Symbol.asyncDispose]();
  for (const folder of folders) rmSync(folder, { recursive: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "frazil-catalog-"));
  folders.push(folder);
  return folder;
}

/** Our own server in this process, over a catalog in memory. */
async function restLake({ transactions }: { readonly transactions: boolean }): Promise<Lake> {
  const io = createMemoryStorage();
  const warehouse = "/lake";
  const behind = new MemoryCatalog("lake", io, warehouse, context);
  const options = transactions ? {} : { prefix: "some/where", separator: "%2E", endpoints: [], idempotent: true };
  const server = await startRestServer(behind, options);
  servers.push(server);
  const sleep = async (): Promise<void> => undefined;
  const connect = (): ManagedCatalog =>
    new RestCatalog(
      { name: "lake", uri: server.uri, warehouseLocation: warehouse, transactions },
      { ...context, fetch, sleep },
    );
  return { io, warehouse, connect, ...(transactions ? {} : { lacks: ["register", "rename"] }) };
}

/** As Java's JDBC catalog puts a view beside the tables. */
async function addViewTo(path: string, { namespace, name }: TableIdent): Promise<void> {
  using database = new DatabaseSync(path);
  database
    .prepare("INSERT INTO iceberg_tables VALUES ('lake', ?, ?, '/lake/view.metadata.json', NULL, 'VIEW')")
    .run(namespace.join("."), name);
}

const lakes: Record<string, () => Lake | Promise<Lake>> = {
  memory: () => {
    const io = createMemoryStorage();
    const only = new MemoryCatalog("lake", io, "/lake", context);
    return { io, warehouse: "/lake", connect: () => only };
  },
  "object-store over memory": () => {
    const io = createMemoryStorage();
    const warehouse = "s3://lake/warehouse";
    return { io, warehouse, connect: () => new ObjectStoreCatalog("lake", io, warehouse, context), lacks: ["rename"] };
  },
  "object-store over a folder": () => {
    const io = createLocalStorage();
    const warehouse = newFolder();
    return { io, warehouse, connect: () => new ObjectStoreCatalog("lake", io, warehouse, context), lacks: ["rename"] };
  },
  sqlite: () => {
    const io = createLocalStorage();
    const warehouse = newFolder();
    const path = join(warehouse, "catalog.sqlite");
    const options = { path, name: "lake", warehouseLocation: warehouse, io, ...context };
    const connect = (): ManagedCatalog => {
      const catalog = openSqliteCatalog(options);
      open.push(catalog);
      return catalog;
    };
    return { io, warehouse, connect, addView: (ident) => addViewTo(path, ident) };
  },
  "rest, a server that commits several tables": () => restLake({ transactions: true }),
  "rest, a server with a prefix, its own separator and keys": () => restLake({ transactions: false }),
};

for (const [name, newLake] of Object.entries(lakes)) catalogSuite(name, newLake);

describe.each(["memory", "sqlite", "rest, a server that commits several tables"])(
  "what only our own catalogs mind: %s",
  (name) => {
    const orders: TableIdent = { namespace: ["shop", "eu"], name: "orders" };
    const bills: TableIdent = { namespace: ["shop", "eu"], name: "bills" };

    test("a folder that two tables name is not purged, a namespace with one in it not dropped", async () => {
      const { connect } = await lakes[name]!();
      const catalog = connect();
      const updates = creation(catalog.defaultLocation(orders));
      await catalog.ensureNamespace(["shop"]);
      await catalog.commit([{ ident: orders, requirements: [{ type: "assert-create" }], updates }]);
      const { metadataLocation } = (await catalog.loadTable(orders))!;
      await catalog.registerTable(bills, metadataLocation);
      for (const ident of [orders, bills]) {
        await expect(catalog.dropTable(ident, true)).rejects.toMatchObject({ kind: "conflict" });
      }
      expect((await connect().loadTable(bills))?.metadataLocation).toBe(metadataLocation);
      await catalog.dropTable(bills, false);
      await catalog.dropTable(orders, true);
      expect(await connect().listTables(["shop", "eu"])).toEqual([]);
      await expect(catalog.namespaces.drop(["shop"])).rejects.toMatchObject({ kind: "conflict" });
      await catalog.namespaces.drop(["shop", "eu"]);
      await catalog.namespaces.drop(["shop"]);
      expect(await connect().listNamespaces()).toEqual([]);
    });
  },
);
