import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPostgresCatalog } from "../../../src/catalogs/postgres.ts";
import { createLocalStorage } from "../../../src/storage/local.ts";
import {
  appendFiles,
  commitOperations,
  currentSchema,
  currentSnapshot,
  type LoadedTable,
  type ManagedCatalog,
  must,
  rowDelta,
  type TableOperation,
} from "../../../table-format/index.ts";
import { openSpark, type SparkReader } from "../../readers/spark.ts";
import { requireServers, withReason } from "../../require.ts";
import { type RunningPostgres, startPostgres } from "../../services/postgres.ts";
import { scanLines } from "../../support/canonical-cells.ts";
import { creation } from "../../unit/table-format/metadata/fixture.ts";
import { placesOf, type WrittenRow, writeRows } from "../table-format/written-rows.ts";
import { restContext } from "./rest-context.ts";

const missing = await requireServers("postgres", "spark");
const io = createLocalStorage();

describe.skipIf(missing !== null)(withReason("a catalog in PostgreSQL, and Spark's JDBC catalog", missing), () => {
  let server: RunningPostgres;
  let spark: SparkReader;
  let catalog: ManagedCatalog;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "frazil-jdbc-"));
    [server, spark] = await Promise.all([startPostgres(), openSpark({ timeoutMs: 240_000 })]);
  }, 240_000);
  afterAll(async () => {
    await catalog?.close();
    await Promise.all([server?.stop(), spark?.[Symbol.asyncDispose]()]);
    rmSync(folder, { recursive: true, force: true });
  });

  /** The table in Spark's words. */
  const inSpark = (name: string) => {
    const { user, password, address, database } = server;
    return { postgres: `postgresql://${user}:${password}@${address}/${database}`, table: `shop.${name}` };
  };
  const load = async (name: string): Promise<LoadedTable> =>
    must(await catalog.loadTable({ namespace: ["shop"], name }), "a table");
  const write = async (name: string, ...operations: TableOperation[]) =>
    commitOperations({ ...restContext, io, catalog }, await load(name), ...operations);
  const rows = (...ids: number[]): WrittenRow[] =>
    ids.map((id) => ({ id: BigInt(id), at: BigInt(id) * 40_000_000_000n, total: BigInt(id * 101) }));
  /** Ids of the rows, of which Spark and we read the same. */
  const readAlike = async (name: string): Promise<number[]> => {
    const { metadata } = await load(name);
    const head = must(currentSnapshot(metadata), "a snapshot");
    const lines = await scanLines(io, metadata, head, currentSchema(metadata).fields);
    const found = await spark.read(inSpark(name));
    expect(found.lines).toEqual(lines);
    return found.rows.map((row) => Number(row["id"])).sort((one, other) => one - other);
  };

  // In this order the catalog's tables are made by Java.
  it("takes over what Spark began, and both go on", { timeout: 240_000 }, async () => {
    await spark.sql(inSpark("theirs"), "CREATE NAMESPACE {catalog}.shop");
    await spark.sql(
      inSpark("theirs"),
      `CREATE TABLE {table} (id BIGINT NOT NULL, at TIMESTAMP, total DECIMAL(18, 2)) USING iceberg
       PARTITIONED BY (bucket(2, id)) LOCATION '${folder}/shop/theirs'
       TBLPROPERTIES ('format-version' = '3', 'write.delete.mode' = 'merge-on-read')`,
    );
    await spark.sql(inSpark("theirs"), "INSERT INTO {table} SELECT id, timestamp_seconds(id), id FROM range(8)");
    const { host, port, user, password, database } = server;
    const address = { host, port, user, password, database, tls: null };
    const options = { ...restContext, name: "frazil", warehouseLocation: folder, io };
    catalog = await openPostgresCatalog({ ...options, address }, "create");
    expect(await catalog.listTables(["shop"])).toEqual([{ namespace: ["shop"], name: "theirs" }]);
    expect(await readAlike("theirs")).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    const { metadata } = await load("theirs");
    const deletedRows = await placesOf(io, metadata, "id", (id) => id === 3n || id === 4n);
    await write("theirs", rowDelta({ deletedRows, dataFiles: await writeRows(io, metadata, rows(30, 31)) }));
    expect(await readAlike("theirs")).toEqual([0, 1, 2, 5, 6, 7, 30, 31]);
    await spark.sql(inSpark("theirs"), "DELETE FROM {table} WHERE id % 5 = 0");
    expect(await readAlike("theirs")).toEqual([1, 2, 6, 7, 31]);
  });

  it("gives Spark what we begin, and both go on", { timeout: 240_000 }, async () => {
    const ident = { namespace: ["shop"], name: "ours" };
    const updates = creation(catalog.defaultLocation(ident));
    await catalog.commit([{ ident, requirements: [{ type: "assert-create" }], updates }]);
    const append = async (...ids: number[]) =>
      write("ours", appendFiles({ dataFiles: await writeRows(io, (await load("ours")).metadata, rows(...ids)) }));
    await append(1, 2, 3, 999);
    expect(await readAlike("ours")).toEqual([1, 2, 3, 999]);
    await spark.sql(
      inSpark("ours"),
      `MERGE INTO {table} t USING (SELECT id FROM range(2, 6)) s ON t.id = s.id
       WHEN MATCHED AND s.id = 2 THEN DELETE WHEN MATCHED THEN UPDATE SET total = 0.01
       WHEN NOT MATCHED THEN INSERT (id, at, total) VALUES (s.id, NULL, NULL)`,
    );
    expect(await readAlike("ours")).toEqual([1, 3, 4, 5, 999]);
    await append(7);
    expect(await readAlike("ours")).toEqual([1, 3, 4, 5, 7, 999]);
    const renamed = { ...ident, name: "renamed" };
    await catalog.renameTable(ident, renamed);
    expect(await readAlike("renamed")).toEqual([1, 3, 4, 5, 7, 999]);
    await spark.sql(inSpark("renamed"), "ALTER TABLE {table} RENAME TO shop.ours");
    expect(await catalog.listTables(["shop"])).toEqual([ident, { ...ident, name: "theirs" }]);
  });

  it("loses no commit where Spark and we race", { timeout: 240_000 }, async () => {
    const turns = [0, 1, 2, 3];
    const ours = async (): Promise<void> => {
      for (const turn of turns) {
        const dataFiles = await writeRows(io, (await load("theirs")).metadata, rows(1000 + turn));
        await write("theirs", appendFiles({ dataFiles }));
      }
    };
    const theirs = async (): Promise<void> => {
      for (const turn of turns) {
        await spark.sql(inSpark("theirs"), `INSERT INTO {table} SELECT ${2000 + turn}, NULL, NULL`);
      }
    };
    await Promise.all([ours(), theirs()]);
    const added = (await readAlike("theirs")).filter((id) => id >= 1000);
    expect(added).toEqual([...turns.map((turn) => 1000 + turn), ...turns.map((turn) => 2000 + turn)]);
  });
});
