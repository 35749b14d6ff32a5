import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRuntime } from "../../../src/cli/runtime.ts";
import { parseJob } from "../../../src/config/load.ts";
import { type AnyJob, SOURCES } from "../../../src/registry.ts";
import { run } from "../../../src/run.ts";
import { expectedTables } from "../../../src/sources/generator/expected.ts";
import { openWarehouse } from "../../../src/warehouse.ts";
import { canonicalLines, type CanonicalRow } from "../../readers/canonical.ts";
import { openReaders, type Readers } from "../../readers/reader.ts";
import { openSpark, type SparkReader } from "../../readers/spark.ts";
import { requireServers, withReason } from "../../require.ts";
import { startMinio } from "../../services/minio.ts";

const TABLE = { namespace: ["shop"], name: "customers" };
const COLUMNS = ["region", "name", "email", "vip"];
const source = { type: "generator", seed: 7, events: 4000, splits: 2 } as const;
const expected = canonicalLines(COLUMNS, expectedTables(source).get("shop.customers") as readonly CanonicalRow[]);

const folder = mkdtempSync(join(tmpdir(), "frazil-folders-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const runtime = createRuntime({ debug() {}, info() {}, warn() {}, error() {} }, undefined);

/** A job that writes one table into folders, a checkpoint every 50 rows. */
function jobIn(warehouse: object): AnyJob {
  return parseJob(
    {
      name: "folders",
      source,
      warehouse: { catalog: { type: "object-store" }, ...warehouse },
      tables: [{ from: "shop.customers", to: "shop.customers", mode: "upsert", partition_by: ["region"] }],
      checkpoint: { max_rows: 50 },
    },
    SOURCES,
  );
}

/** Runs a job to its end, or to some rows, and calls `meanwhile` once it has committed something, while it goes on. */
async function runBeside(job: AnyJob, maxRows: number | null, meanwhile: () => Promise<void>): Promise<void> {
  const readings: Promise<void>[] = [];
  const committed = (): void => {
    if (readings.length === 0) readings.push(meanwhile());
  };
  await run(job, runtime, {
    end: { caughtUp: true, afterMs: null, maxRows },
    stop: new AbortController().signal,
    observer: { started() {}, progress() {}, committed, notice() {} },
  });
  expect(readings).toHaveLength(1);
  await Promise.all(readings);
}

/** From here on metadata files are compressed, their names and copies others, and the hint as well. */
async function compressMetadata(job: AnyJob): Promise<void> {
  const { catalog } = await openWarehouse(job.warehouse, runtime, "read");
  const updates = new Map([["write.metadata.compression-codec", "gzip"]]);
  const change = { ident: TABLE, requirements: [], updates: [{ action: "set-properties" as const, updates }] };
  expect(await catalog.commit([change])).toMatchObject({ outcome: "committed" });
  await catalog.close();
}

const missing = await requireServers("readers", "spark", "minio");
describe.skipIf(missing !== null)(withReason("tables that are nothing but folders", missing), () => {
  let spark: SparkReader;
  let readers: Readers;
  beforeAll(async () => {
    [spark, readers] = await Promise.all([openSpark(), openReaders()]);
  }, 240_000);
  afterAll(async () => {
    await spark?.[Symbol.asyncDispose]();
    await readers?.[Symbol.asyncDispose]();
  });

  it("are open to Spark, DuckDB and PyIceberg while a job writes to them", { timeout: 240_000 }, async () => {
    const job = jobIn({ location: folder });
    const table = { location: join(folder, "shop", "customers") };
    const counts: number[] = [];
    const look = async (): Promise<void> => {
      const [seen] = await spark.readMany([table]);
      if (seen === undefined || seen instanceof Error) throw seen ?? new Error("no answer");
      counts.push(seen.count, (await readers.duckdb(table, { columns: COLUMNS })).count);
    };
    await runBeside(job, 300, look);
    await look();
    await compressMetadata(job);
    await runBeside(job, null, look);
    // What was there before a read began is the least that it sees.
    const between = counts[2]!;
    expect(between).toBeGreaterThan(0);
    expect(counts[3]).toBe(between);
    expect(Math.min(...counts.slice(4))).toBeGreaterThanOrEqual(between);
    const [whole] = await spark.readMany([table]);
    if (whole === undefined || whole instanceof Error) throw whole ?? new Error("no answer");
    const named = whole.rows.map((row) => Object.fromEntries(COLUMNS.map((name) => [name, row[name]])));
    expect(canonicalLines(COLUMNS, named as CanonicalRow[])).toEqual(expected);
    expect((await readers.duckdb(table, { columns: COLUMNS })).lines).toEqual(expected);
    expect((await readers.pyiceberg(table, { columns: COLUMNS })).lines).toEqual(expected);
    expect(readFileSync(join(table.location, "metadata", "version-hint.text"), "utf8")).toMatch(/\.gz$/);
  });

  it(
    "are open to Spark, DuckDB and PyIceberg on a store, and their copies to whoever names them",
    { timeout: 240_000 },
    async () => {
      await using server = await startMinio();
      const { endpoint, region, accessKeyId, secretAccessKey } = server;
      const s3 = { endpoint, region, access_key_id: accessKeyId, secret_access_key: secretAccessKey };
      const location = `s3://${server.bucket}/folders`;
      const job = jobIn({ location, s3 });
      const table = { location: `${location}/shop/customers` };
      const access = { columns: COLUMNS, s3: { endpoint, region, accessKeyId, secretAccessKey } };
      const counts: number[] = [];
      const look = async (): Promise<void> => void counts.push((await readers.duckdb(table, access)).count);
      await runBeside(job, 300, look);
      await look();
      await runBeside(job, null, look);
      expect(counts[1]).toBeGreaterThan(0);
      expect(counts[2]).toBeGreaterThanOrEqual(counts[1]!);
      expect((await readers.duckdb(table, access)).lines).toEqual(expected);
      expect((await readers.pyiceberg(table, access)).lines).toEqual(expected);
      expect((await spark.read({ folder: table.location }, access)).lines).toEqual(expected);
      const { io, catalog } = await openWarehouse(job.warehouse, runtime, "read");
      const current = (await catalog.loadTable(TABLE))!;
      const version = Number(/\/(\d{5})-[^/]*$/.exec(current.metadataLocation)![1]) + 1;
      const copy = { location: `${table.location}/metadata/v${version}.metadata.json` };
      expect(await io.read(copy.location)).toEqual(await io.read(current.metadataLocation));
      expect((await spark.read(copy, access)).lines).toEqual(expected);
    },
  );
});
