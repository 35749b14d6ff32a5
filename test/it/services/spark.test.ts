import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRuntime } from "../../../src/cli/runtime.ts";
import { parseJob } from "../../../src/config/load.ts";
import { SOURCES } from "../../../src/registry.ts";
import { run } from "../../../src/run.ts";
import { openWarehouse } from "../../../src/warehouse.ts";
import { openReaders, type Readers } from "../../readers/reader.ts";
import { openSpark, type SparkReader } from "../../readers/spark.ts";
import { requireServers, withReason } from "../../require.ts";
import { startMinio } from "../../services/minio.ts";
import type { RunningS3 } from "../../services/s3-server.ts";

const missing = await requireServers("minio", "readers", "spark");

describe.skipIf(missing !== null)(withReason("Spark as a reader", missing), () => {
  let store: RunningS3;
  let readers: Readers;
  let spark: SparkReader;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "frazil-spark-"));
    [store, readers, spark] = await Promise.all([startMinio(), openReaders(), openSpark()]);
  });
  afterAll(async () => {
    await Promise.all([store?.stop(), readers?.[Symbol.asyncDispose](), spark?.[Symbol.asyncDispose]()]);
    rmSync(folder, { recursive: true, force: true });
  });

  /** Writes the shop's customers, and gives the metadata file of the table. */
  async function writeCustomers(location: string): Promise<string> {
    const runtime = createRuntime({ debug() {}, info() {}, warn() {}, error() {} }, undefined);
    const { endpoint, region, accessKeyId, secretAccessKey } = store;
    const s3 = { endpoint, region, access_key_id: accessKeyId, secret_access_key: secretAccessKey };
    const job = parseJob(
      {
        name: "customers",
        source: { type: "generator", seed: 3, events: 3000 },
        warehouse: location.startsWith("s3://") ? { location, s3 } : { location },
        tables: [{ from: "shop.customers", to: "shop.customers", mode: "upsert", partition_by: ["region"] }],
      },
      SOURCES,
    );
    const observer = { started() {}, progress() {}, committed() {}, notice() {} };
    const end = { caughtUp: true, afterMs: null, maxRows: null };
    await run(job, runtime, { end, stop: new AbortController().signal, observer });
    const { catalog } = await openWarehouse(job.warehouse, runtime, "read");
    const table = await catalog.loadTable({ namespace: ["shop"], name: "customers" });
    await catalog.close();
    if (table === null) throw new Error("the job made no table");
    return table.metadataLocation;
  }

  it("reads a table in S3 by its metadata file", async () => {
    const location = await writeCustomers(`s3://${store.bucket}/spark`);
    const seen = await spark.read({ location }, { s3: store });
    expect(seen.count).toBeGreaterThan(50);
    expect(seen.lines).toEqual((await readers.duckdb({ location }, { s3: store })).lines);
  });

  it("reads a local table by its metadata file and from its catalog, after a request that failed", async () => {
    const location = await writeCustomers(folder);
    const table = { sqlite: join(folder, "catalog.sqlite"), table: "shop.customers" };
    await expect(spark.read({ ...table, table: "shop.nothing" })).rejects.toThrow("TABLE_OR_VIEW_NOT_FOUND");
    const found = await spark.read({ location });
    const { lines, digest } = await readers.pyiceberg(table);
    expect(found).toMatchObject({ lines, digest });
    expect((await spark.read(table, { columns: ["id", "region"], rows: false })).columns).toEqual([
      { name: "id", type: "long" },
      { name: "region", type: "string" },
    ]);
  });
});
