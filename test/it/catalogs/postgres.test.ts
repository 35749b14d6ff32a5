import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPostgresCatalog } from "../../../src/catalogs/postgres.ts";
import type { PostgresAddress } from "../../../src/catalogs/postgres-database.ts";
import { createRuntime } from "../../../src/cli/runtime.ts";
import { parseJob } from "../../../src/config/load.ts";
import { SOURCES } from "../../../src/registry.ts";
import { run } from "../../../src/run.ts";
import { expectedTables } from "../../../src/sources/generator/expected.ts";
import { createLocalStorage } from "../../../src/storage/local.ts";
import type { ManagedCatalog, TableChange } from "../../../table-format/index.ts";
import { catalogSuite } from "../../conformance/catalog-suite.ts";
import { canonicalLines, type CanonicalRow } from "../../readers/canonical.ts";
import { openReaders } from "../../readers/reader.ts";
import { requireServers, withReason } from "../../require.ts";
import { type RunningPostgres, startPostgres } from "../../services/postgres.ts";
import { frazil } from "../../unit/cli/frazil.ts";
import { appended, creation, snapshotOn } from "../../unit/table-format/metadata/fixture.ts";
import { type Relay, startRelay } from "./commit-relay.ts";
import { restContext } from "./rest-context.ts";

const missing = await requireServers("postgres", "readers");
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
        for (let turn = 0; turn < 5; turn++) {
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

  it("loses no commit of processes that race", { timeout: 120_000 }, async () => {
    const database = await newDatabase();
    const folder = newFolder();
    const catalog = await openCatalog(folder, { database });
    await catalog.commit([create(catalog)]);
    const root = join(import.meta.dirname, "../../..");
    const script = join(folder, "writer.ts");
    writeFileSync(
      script,
      `import { openPostgresCatalog } from "${root}/src/catalogs/postgres.ts";
       import { createLocalStorage } from "${root}/src/storage/local.ts";
       import { restContext } from "${root}/test/it/catalogs/rest-context.ts";
       import { appended, snapshotOn } from "${root}/test/unit/table-format/metadata/fixture.ts";
       const first = Number(process.argv[2]);
       const options = { ...restContext, name: "lake", warehouseLocation: ${JSON.stringify(folder)}, io: createLocalStorage() };
       const catalog = await openPostgresCatalog({ ...options, address: ${JSON.stringify(address(database))} }, "create");
       const ident = ${JSON.stringify(ident)};
       for (let done = 0; done < 5; ) {
         const { metadata } = await catalog.loadTable(ident);
         const updates = appended(snapshotOn(metadata, BigInt(first + done)));
         const requirements = [{ type: "assert-ref-snapshot-id", ref: "main", snapshotId: metadata.currentSnapshotId }];
         const { outcome } = await catalog.commit([{ ident, requirements, updates }]);
         if (outcome === "committed") done++;
       }
       await catalog.close();`,
    );
    await Promise.all([100, 200].map((first) => promisify(execFile)(process.execPath, [script, String(first)])));
    const { snapshots } = (await catalog.loadTable(ident))!.metadata;
    const ids = snapshots.map(({ snapshotId }) => Number(snapshotId)).toSorted((a, b) => a - b);
    expect(ids).toEqual([100, 200].flatMap((first) => Array.from({ length: 5 }, (_, i) => first + i)));
  });

  it("takes a job's tables, which PyIceberg finds in the same database", { timeout: 120_000 }, async () => {
    const source = { type: "generator", seed: 7, events: 4000, splits: 2 } as const;
    const database = await newDatabase();
    const uri = `postgres://${server.user}@${server.address}/${database}`;
    const job = parseJob(
      {
        name: "postgres",
        source,
        warehouse: {
          location: newFolder(),
          catalog: { type: "postgres", uri, password: server.password, tls: { ca: server.ca! } },
        },
        tables: [
          { from: "shop.customers", to: "shop.customers", mode: "upsert", partition_by: ["region"] },
          { from: "shop.orders", to: "shop.orders", mode: "upsert" },
        ],
        checkpoint: { max_rows: 1000 },
      },
      SOURCES,
    );
    const runtime = createRuntime({ debug() {}, info() {}, warn() {}, error() {} }, undefined);
    const observer = { started() {}, progress() {}, committed() {}, notice() {} };
    const stop = new AbortController().signal;
    // In two runs: the second finds where the first one stood.
    for (const maxRows of [1500, null]) {
      await run(job, runtime, { end: { caughtUp: true, afterMs: null, maxRows }, stop, observer });
    }
    await using readers = await openReaders();
    const expected = expectedTables(source);
    const python = `postgresql+psycopg2://${server.user}:${server.password}@${server.address}/${database}`;
    for (const [name, columns] of [
      ["customers", ["region", "name", "email", "vip"]],
      ["orders", ["status", "quantity", "note"]],
    ] as const) {
      const seen = await readers.pyiceberg({ postgres: python, table: `shop.${name}` }, { columns });
      const rows = expected.get(`shop.${name}`) as readonly CanonicalRow[];
      expect(seen.lines).toEqual(canonicalLines(columns, rows));
    }
    const orders = expected.get("shop.orders")?.length;
    const named = `${uri}?location=${job.warehouse.location}`;
    const listed = frazil(["tables", "--json", "--warehouse", named], { PGPASSWORD: server.password });
    expect(listed).toMatchObject({ code: 0, stdout: expect.stringMatching(/shop.customers[^]*shop.orders/) as string });
    const file = join(newFolder(), "orders.yaml");
    const catalog = { type: "postgres", uri, password: "${SECRET}", tls: { ca: server.ca } };
    writeFileSync(file, JSON.stringify({ warehouse: { location: job.warehouse.location, catalog } }));
    const sql = ["query", "select count(*)::int as n from shop.orders", "--json", "--warehouse", file];
    expect(frazil(sql, { SECRET: server.password })).toMatchObject({ code: 0, stdout: `{"n":${orders}}\n` });
    expect(frazil(sql)).toMatchObject({ code: 78, stderr: expect.stringContaining("SECRET is not set") as string });
  });

  describe("when a COMMIT gets no answer", () => {
    /** A catalog behind a relay that does something when it sees a COMMIT, and a table in it. */
    const behind = async (onCommit: (relay: Relay) => Promise<void>, more: { sleep?: () => Promise<void> } = {}) => {
      const [folder, database] = [newFolder(), await newDatabase()];
      const direct = await openCatalog(folder, { database });
      await direct.commit([create(direct)]);
      const relay = await startRelay(server.port, onCommit);
      relays.push(relay);
      const options = { ...restContext, ...more, name: "lake", warehouseLocation: folder, io: createLocalStorage() };
      const catalog = await openPostgresCatalog(
        { ...options, address: { ...address(database), port: relay.port } },
        "read",
      );
      open.push(catalog);
      const { metadata } = (await catalog.loadTable(ident))!;
      relay.armed = true;
      const outcome = await catalog.commit([{ ident, requirements: [], updates: appended(snapshotOn(metadata, 1n)) }]);
      relay.armed = false;
      const held = async (): Promise<boolean> =>
        (await direct.loadTable(ident))!.metadata.snapshots.some(({ snapshotId }) => snapshotId === 1n);
      return { outcome, held };
    };
    const relays: Relay[] = [];
    afterAll(async () => {
      for (const relay of relays) await relay.close();
    });

    it("and it took effect: committed", async () => {
      const { outcome, held } = await behind(async (relay) => {
        await relay.forward();
        await sleep(200);
        relay.cut();
      });
      expect(outcome).toMatchObject({ outcome: "committed" });
      expect(await held()).toBe(true);
    });

    it("and it never arrived: a conflict, since the server has taken it back", async () => {
      const { outcome, held } = await behind(async (relay) => relay.cut());
      expect(outcome).toMatchObject({
        outcome: "conflict",
        message: expect.stringContaining("took it back") as string,
      });
      expect(await held()).toBe(false);
    });

    it("and the server stays away: unknown, and nothing is deleted", { timeout: 60_000 }, async () => {
      const { outcome, held } = await behind(
        async (relay) => {
          await server.kill();
          relay.cut();
        },
        { sleep: async () => undefined },
      );
      expect(outcome).toMatchObject({ outcome: "unknown", cause: { kind: "unavailable" } });
      await server.restart();
      expect(await held()).toBe(false);
    });

    it(
      "and the server was killed at that moment: what it says once it is back is so",
      { timeout: 120_000 },
      async () => {
        const seen = new Set<string>();
        for (const delayMs of [0, 3]) {
          const { outcome, held } = await behind(async (relay) => {
            await relay.forward();
            await sleep(delayMs);
            await server.kill();
            await server.restart();
          });
          expect(["committed", "conflict"]).toContain(outcome.outcome);
          expect(await held()).toBe(outcome.outcome === "committed");
          seen.add(outcome.outcome);
        }
        console.log(`a server killed at COMMIT: ${[...seen].join(", ")}`);
      },
    );
  });
});
