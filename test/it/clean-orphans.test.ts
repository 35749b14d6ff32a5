import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ObjectStoreCatalog } from "../../table-format/index.ts";
import { runCleaning } from "../../src/maintenance/clean-orphans/clean.ts";
import { planOrphans } from "../../src/maintenance/clean-orphans/plan.ts";
import { createS3Storage } from "../../src/storage/s3.ts";
import { requireServers, withReason } from "../require.ts";
import { startMinio } from "../services/minio.ts";
import type { RunningS3 } from "../services/s3-server.ts";
import { change, Process, upsertRule, type Warehouse } from "../support/checkpoints.ts";
import { IDENT, loaded, place } from "../support/maintenance.ts";
import { tableRows } from "../support/table-rows.ts";
import { systemRuntimeParts } from "../unit/storage/runtime-parts.ts";

const missing = await requireServers("minio");

describe.skipIf(missing !== null)(withReason("cleaning orphans on MinIO", missing), () => {
  let server: RunningS3;
  beforeAll(async () => {
    server = await startMinio();
  });
  afterAll(() => server?.stop());

  it("deletes what nothing reaches, by name and by the store's time, and nothing else", async () => {
    const { endpoint, region, accessKeyId, secretAccessKey, bucket } = server;
    const parts = systemRuntimeParts();
    const io = createS3Storage({ endpoint, region, accessKeyId, secretAccessKey }, parts);
    const location = `s3://${bucket}/lake`;
    let uuids = 0;
    const uuid = () => `00000000-0000-4000-8000-${String(uuids++).padStart(12, "0")}`;
    const catalog = new ObjectStoreCatalog("test", io, location, { nowMs: () => Date.now(), uuid });
    const warehouse: Warehouse = { io, catalog, location, fault: () => undefined };
    const rules = [upsertRule("a", { partitionBy: ["part"] })];
    const first = await Process.start(warehouse, rules);
    await first.checkpoint([change("a", "+1:a b/c%:1"), change("a", "+2:ü:2")]);
    const job = await Process.start(warehouse, rules);
    await job.checkpoint([change("a", "~1:a b/c%:3")]);

    const folder = `${location}/shop/a`;
    const byName = `${folder}/data/part=%C3%BC/test-e0000000001-c000000000009-w00-0000-0123abcd.parquet`;
    const foreign = `${folder}/data/part=a b/00000-1-x y.parquet`;
    const strange = `${folder}/_ingest/state.json`;
    const beside = `${location}/shop/ab/data/00000-1.parquet`;
    for (const at of [byName, foreign, strange, beside]) await io.write(at, new Uint8Array(7));
    const objects = async () => new Set((await Array.fromAsync(io.list(location))).map((entry) => entry.location));
    const all = await objects();

    // The store's clock against this machine's: what was just written is young.
    const runtime = { ...job.runtime, clock: { ...job.runtime.clock, nowMs: () => Date.now() } };
    const plan = async (olderThanMs: number) =>
      planOrphans({ ...place(warehouse, job), runtime }, await loaded(warehouse), {
        olderThanMs,
        foreign: true,
        locations: [],
      });
    const young = await plan(60_000);
    expect(young.orphans.map((orphan) => orphan.location)).toEqual([byName]);
    expect(young.undecided).toBeGreaterThan(0);
    const later = await plan(-60_000);
    expect(new Set(later.orphans.map((orphan) => orphan.location))).toEqual(new Set([byName, foreign]));
    const report = await runCleaning(place(warehouse, job), later);
    expect(report).toMatchObject({ kept: 0, notDeleted: [] });
    expect(await objects()).toEqual(new Set([...all].filter((at) => at !== byName && at !== foreign)));
    expect(await tableRows(io, catalog, IDENT)).toEqual(["1|a b/c%|3", "2|ü|2"]);
    await job.checkpoint([change("a", "+4:ü:4")]);
  }, 120_000);
});
