import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPostgresCatalog } from "../../../src/catalogs/postgres.ts";
import type { PostgresAddress } from "../../../src/catalogs/postgres-database.ts";
import { createLocalStorage } from "../../../src/storage/local.ts";
import type { ManagedCatalog, TableChange } from "../../../table-format/index.ts";
import { catalogSuite } from "../../conformance/catalog-suite.ts";
import { requireServers, withReason } from "../../require.ts";
import { type RunningPostgres, startPostgres } from "../../services/postgres.ts";
import { appended, creation, snapshotOn } from "../../unit/table-format/metadata/fixture.ts";
import { restContext } from "./rest-context.ts";

const missing = await requireServers("postgres");
describe.skipIf(missing !== null)(withReason("a catalog in PostgreSQL", missing), () => {
  let server: RunningPostgres;
  const folders: string[] = [];
  const open: ManagedCatalog[] = [];
  beforeAll(async () => {
    server = await startPostgres({ tls: true });
  });
  afterAll(async () => {
    for (const catalog of open) await catalog.close();
    for (const folder of folders) rmSync(folder, { recursive: true });
    await server?.stop();
  });

  const newFolder = (): string => {
    const folder = mkdtempSync(join(tmpdir(), "frazil-postgres-lake-"));
    folders.push(folder);
    return folder;
  };
  const address = (database = server.database) => {
    const { host, port, user, password } = server;
    return { host, port, user, password, database, tls: null };
  };
  const sql = async (text: string, parameters: readonly string[] = [], database = server.database) => {
    const client = new pg.Client({ ...address(database), ssl: false });
    await client.connect();
    try {
      return (await client.query(text, [...parameters])).rows as Record<string, unknown>[];
    } finally {
      await client.end();
    }
  };
  let databases = 0;
  /** A database of its own, empty or as Java left it. */
  const newDatabase = async (): Promise<string> => {
    const name = `lake${databases++}`;
    await sql(`CREATE DATABASE ${name}`);
    return name;
  };
  const openCatalog = async (
    warehouse: string,
    { mode = "create", ...where }: { mode?: "create" | "read" } & Partial<PostgresAddress> = {},
  ): Promise<ManagedCatalog> => {
    const options = { ...restContext, name: "lake", warehouseLocation: warehouse, io: createLocalStorage() };
    const catalog = await openPostgresCatalog({ ...options, address: { ...address(), ...where } }, mode);
    open.push(catalog);
    return catalog;
  };

  /** One catalog for the whole suite, emptied for each test. Each client has connections of its own. */
  let suite: Promise<{ warehouse: string; database: string; clients: ManagedCatalog[] }> | null = null;
  const newSuite = async () => {
    const [warehouse, database] = [newFolder(), await newDatabase()];
    const clients = await Promise.all(Array.from({ length: 6 }, () => openCatalog(warehouse, { database })));
    return { warehouse, database, clients };
  };
  catalogSuite("the suite of catalogs", async () => {
    const { warehouse, database, clients } = await (suite ??= newSuite());
    await sql("TRUNCATE iceberg_tables, iceberg_namespace_properties, frazil_claims", [], database);
    for (const entry of readdirSync(warehouse)) rmSync(join(warehouse, entry), { recursive: true });
    let next = 0;
    return {
      io: createLocalStorage(),
      warehouse,
      connect: () => clients[next++ % clients.length]!,
      addView: async ({ namespace, name }) => {
        const view = "INSERT INTO iceberg_tables VALUES ('lake', $1, $2, '/view.metadata.json', NULL, 'VIEW')";
        await sql(view, [namespace.join("."), name], database);
      },
    };
  });

  const ident = { namespace: ["shop", "eu"], name: "orders" };
  const create = (catalog: ManagedCatalog): TableChange => ({
    ident,
    requirements: [{ type: "assert-create" }],
    updates: creation(catalog.defaultLocation(ident)),
  });

  it("writes rows as Java's JDBC catalog and PyIceberg do, and takes over a database of Java's layout V0", async () => {
    const database = await newDatabase();
    await sql(
      `CREATE TABLE iceberg_tables (catalog_name VARCHAR(255) NOT NULL, table_namespace VARCHAR(255) NOT NULL,
       table_name VARCHAR(255) NOT NULL, metadata_location VARCHAR(1000), previous_metadata_location VARCHAR(1000),
       PRIMARY KEY (catalog_name, table_namespace, table_name))`,
      [],
      database,
    );
    const catalog = await openCatalog(newFolder(), { database });
    await catalog.commit([create(catalog)]);
    const first = (await catalog.loadTable(ident))!;
    await catalog.commit([{ ident, requirements: [], updates: appended(snapshotOn(first.metadata, 1n)) }]);
    const second = (await catalog.loadTable(ident))!;
    expect(await sql("SELECT * FROM iceberg_tables", [], database)).toEqual([
      {
        catalog_name: "lake",
        table_namespace: "shop.eu",
        table_name: "orders",
        metadata_location: second.metadataLocation,
        previous_metadata_location: first.metadataLocation,
        iceberg_type: "TABLE",
      },
    ]);
    await sql("UPDATE iceberg_tables SET iceberg_type = NULL", [], database);
    expect(await catalog.loadTable(ident)).toEqual(second);
  });

  it("makes nothing where it is only read, and once where several begin", async () => {
    const database = await newDatabase();
    await expect(openCatalog(newFolder(), { database, mode: "read" })).rejects.toMatchObject({
      code: "WAREHOUSE_NOT_FOUND",
    });
    expect(await sql("SELECT 1 FROM pg_tables WHERE tablename LIKE 'iceberg%'", [], database)).toEqual([]);
    const folder = newFolder();
    await Promise.all(Array.from({ length: 5 }, () => openCatalog(folder, { database })));
    await openCatalog(folder, { database, mode: "read" });
  });

  it("goes over TLS to whom it trusts, and says what is refused", async () => {
    const folder = newFolder();
    const ca = readFileSync(server.ca!, "utf8");
    const catalog = await openCatalog(folder, { tls: { ca } });
    expect(await catalog.listTables(["none"])).toEqual([]);
    await expect(openCatalog(folder, { tls: {} })).rejects.toMatchObject({ kind: "config" });
    await expect(openCatalog(folder, { password: "wrong" })).rejects.toMatchObject({
      kind: "permission",
      message: expect.not.stringContaining("wrong") as string,
    });
    await expect(openCatalog(folder, { database: "nowhere" })).rejects.toMatchObject({ kind: "config" });
  });

  it("does not let two commits wait for each other, whatever the order of their tables", async () => {
    const database = await newDatabase();
    const folder = newFolder();
    const clients = await Promise.all([openCatalog(folder, { database }), openCatalog(folder, { database })]);
    const idents = ["a", "b", "c"].map((name) => ({ namespace: ["shop"], name }));
    const location = (name: string) => clients[0].defaultLocation({ namespace: ["shop"], name });
    await clients[0].commit(
      idents.map((each) => ({
        ident: each,
        requirements: [{ type: "assert-create" }] as const,
        updates: creation(location(each.name)),
      })),
    );
    let done = 0;
    await Promise.all(
      clients.map(async (client, writer) => {
        for (let turn = 0; turn < 12; turn++) {
          const ordered = writer === 0 ? idents : idents.toReversed();
          const changes: TableChange[] = [];
          for (const each of ordered) {
            const { metadata } = (await client.loadTable(each))!;
            const id = BigInt(1 + turn + writer * 100);
            const head = {
              type: "assert-ref-snapshot-id",
              ref: "main",
              snapshotId: metadata.currentSnapshotId,
            } as const;
            changes.push({ ident: each, requirements: [head], updates: appended(snapshotOn(metadata, id)) });
          }
          const { outcome } = await client.commit(changes);
          expect(["committed", "conflict"]).toContain(outcome);
          if (outcome === "committed") done++;
        }
      }),
    );
    const counts = await Promise.all(
      idents.map(async (each) => (await clients[0].loadTable(each))!.metadata.snapshots),
    );
    expect(counts.map(({ length }) => length)).toEqual([done, done, done]);
    expect(done).toBeGreaterThan(0);
  });
});
