import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openSqliteCatalog } from "../../../src/catalogs/sqlite.ts";
import { createLocalStorage } from "../../../src/storage/local.ts";
import type { Catalog, TableChange } from "../../../table-format/catalog/catalog.ts";
import { appended, creation, snapshotOn, T0 } from "../table-format/metadata/fixture.ts";

let folder: string;
let path: string;
let catalog: Catalog;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "frazil-sqlite-"));
  path = join(folder, "deep", "catalog.sqlite");
  catalog = open("lake");
});
afterEach(async () => {
  await catalog.close();
  rmSync(folder, { recursive: true });
});

function open(name: string): Catalog {
  const context = { nowMs: () => Number(T0), uuid: () => crypto.randomUUID() };
  return openSqliteCatalog({ path, name, warehouseLocation: folder, io: createLocalStorage(), ...context });
}

function rows(sql: string): unknown[] {
  const database = new DatabaseSync(path);
  try {
    return database
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }));
  } finally {
    database.close();
  }
}

const ident = { namespace: ["shop", "eu"], name: "orders" };
const create = (): TableChange => ({
  ident,
  requirements: [{ type: "assert-create" }],
  updates: creation(catalog.defaultLocation(ident)),
});

test("rows stand as Java's JDBC catalog and PyIceberg write them", async () => {
  await catalog.ensureNamespace(ident.namespace);
  await catalog.commit([create()]);
  const first = await catalog.loadTable(ident);
  await catalog.commit([{ ident, requirements: [], updates: appended(snapshotOn(first!.metadata, 1n)) }]);
  const second = await catalog.loadTable(ident);
  expect(rows("SELECT * FROM iceberg_tables")).toEqual([
    {
      catalog_name: "lake",
      table_namespace: "shop.eu",
      table_name: "orders",
      metadata_location: second?.metadataLocation,
      previous_metadata_location: first?.metadataLocation,
      iceberg_type: "TABLE",
    },
  ]);
  expect(rows("SELECT * FROM iceberg_namespace_properties")).toEqual([
    { catalog_name: "lake", namespace: "shop.eu", property_key: "exists", property_value: "true" },
  ]);
  expect(rows("PRAGMA journal_mode")).toEqual([{ journal_mode: "wal" }]);
});

test("catalogs of other names in the same file do not see each other's tables", async () => {
  await catalog.commit([create()], { key: "k", value: "v" });
  const other = open("other");
  expect(await other.loadTable(ident)).toBeNull();
  expect(await other.listNamespaces()).toEqual([]);
  expect(await other.readClaim("k")).toBeNull();
  await other.close();
});

test("a file of Java's layout V0 gets the missing column, views stay hidden", async () => {
  await catalog.close();
  rmSync(path);
  const java = new DatabaseSync(path);
  java.exec(`CREATE TABLE iceberg_tables (catalog_name VARCHAR(255) NOT NULL, table_namespace VARCHAR(255) NOT NULL,
    table_name VARCHAR(255) NOT NULL, metadata_location VARCHAR(1000), previous_metadata_location VARCHAR(1000),
    PRIMARY KEY (catalog_name, table_namespace, table_name))`);
  java.close();
  catalog = open("lake");
  await catalog.commit([create()]);
  const database = new DatabaseSync(path);
  database.exec("UPDATE iceberg_tables SET iceberg_type = NULL");
  expect(await catalog.loadTable(ident)).not.toBeNull();
  database.exec("UPDATE iceberg_tables SET iceberg_type = 'VIEW'");
  database.close();
  expect(await catalog.loadTable(ident)).toBeNull();
  expect(await catalog.listTables(ident.namespace)).toEqual([]);
  expect(await catalog.commit([create()])).toMatchObject({ outcome: "conflict" });
});

test("another engine's commit between load and swap is a conflict that undoes all of the transaction", async () => {
  const items = { namespace: ["shop"], name: "items" };
  await catalog.commit([create(), { ...create(), ident: items, updates: creation(catalog.defaultLocation(items)) }]);
  const bases = [await catalog.loadTable(ident), await catalog.loadTable(items)];
  const database = new DatabaseSync(path);
  const io = createLocalStorage();
  const racing = openSqliteCatalog({
    path,
    name: "lake",
    warehouseLocation: folder,
    nowMs: () => Number(T0),
    uuid: () => crypto.randomUUID(),
    io: Object.assign(Object.create(io) as typeof io, {
      read: io.read.bind(io),
      write: async (location: string, bytes: Uint8Array) => {
        await io.write(location, bytes);
        if (!location.includes("/items/")) return;
        database.exec("UPDATE iceberg_tables SET metadata_location = 'elsewhere' WHERE table_name = 'items'");
      },
    }),
  });
  const changes = [ident, items].map((table, i) => ({
    ident: table,
    requirements: [],
    updates: appended(snapshotOn(bases[i]!.metadata, 1n)),
  }));
  // The first table's row and the claim are written when the second table turns out to have moved.
  expect(await racing.commit(changes, { key: "k", value: "v" })).toMatchObject({ outcome: "conflict", table: items });
  expect(rows("SELECT metadata_location FROM iceberg_tables ORDER BY table_name")).toEqual([
    { metadata_location: "elsewhere" },
    { metadata_location: bases[0]!.metadataLocation },
  ]);
  expect(await catalog.readClaim("k")).toBeNull();
  database.close();
  await racing.close();
});

test("what is no SQLite file is refused by name", () => {
  const wrong = join(folder, "notes.txt");
  writeFileSync(
    wrong,
    "not a database, but long enough to be taken for the header of one, or so one would hope, at 100 bytes\n",
  );
  const context = { nowMs: () => 0, uuid: () => "" };
  expect(() =>
    openSqliteCatalog({ path: wrong, name: "lake", warehouseLocation: folder, io: createLocalStorage(), ...context }),
  ).toThrow(expect.objectContaining({ kind: "corrupt", message: expect.stringContaining("notes.txt") as string }));
});

test("processes that race lose no commit", async () => {
  await catalog.commit([create()]);
  const script = join(folder, "writer.ts");
  const root = join(import.meta.dirname, "../../..");
  writeFileSync(
    script,
    `import { openSqliteCatalog } from "${root}/src/catalogs/sqlite.ts";
     import { createLocalStorage } from "${root}/src/storage/local.ts";
     import { appended, snapshotOn } from "${root}/test/unit/table-format/metadata/fixture.ts";
     const first = Number(process.argv[2]);
     const catalog = openSqliteCatalog({ path: ${JSON.stringify(path)}, name: "lake", warehouseLocation: ${JSON.stringify(folder)},
       io: createLocalStorage(), nowMs: () => ${T0}, uuid: () => crypto.randomUUID() });
     const ident = ${JSON.stringify(ident)};
     for (let done = 0; done < 10; ) {
       const { metadata } = await catalog.loadTable(ident);
       const updates = appended(snapshotOn(metadata, BigInt(first + done)));
       const requirements = [{ type: "assert-ref-snapshot-id", ref: "main", snapshotId: metadata.currentSnapshotId }];
       const { outcome } = await catalog.commit([{ ident, requirements, updates }]);
       if (outcome === "committed") done++;
     }`,
  );
  await Promise.all([100, 200, 300].map((first) => promisify(execFile)(process.execPath, [script, String(first)])));
  const table = await catalog.loadTable(ident);
  const ids = table!.metadata.snapshots.map((snapshot) => Number(snapshot.snapshotId));
  const expected = [100, 200, 300].flatMap((first) => Array.from({ length: 10 }, (_, i) => first + i));
  expect(ids.toSorted((a, b) => a - b)).toEqual(expected);
  expect(table!.metadata.lastSequenceNumber).toBe(30n);
});
