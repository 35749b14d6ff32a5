import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRuntime } from "../../../src/cli/runtime.ts";
import { warehouseAt } from "../../../src/config/load.ts";
import { openWarehouse } from "../../../src/warehouse.ts";
import { openReaders, type Readers } from "../../readers/reader.ts";
import { openSpark, type SparkReader } from "../../readers/spark.ts";
import { requireServers, withReason } from "../../require.ts";
import { noCounts, runCampaign } from "../../support/compaction-campaign.ts";
import { tableRows } from "../../support/table-rows.ts";
import { type EngineCounts, engineWriter, type OtherWriter } from "../../support/upsert-engines.ts";
import { seededRandom } from "../../support/virtual-runtime.ts";

const missing = await requireServers("readers", "spark");

const RUNS = Number(process.env["FRAZIL_ENGINE_RUNS"] ?? 20);
const FIRST_SEED = Number(process.env["FRAZIL_ENGINE_SEED"] ?? 1);
const COMMANDS = 100;
/** Real engines take a second a commit. */
const OTHER_EVERY = 25;

/** Spark's own table services. Snapshots that a job may still look for stay. */
const SERVICES = [
  "rewrite_data_files(table => 'shop.a', options => map('rewrite-all', 'true'))",
  "rewrite_manifests(table => 'shop.a')",
  "rewrite_position_delete_files(table => 'shop.a', options => map('rewrite-all', 'true'))",
  "expire_snapshots(table => 'shop.a', older_than => TIMESTAMP '2100-01-01 00:00:00', retain_last => 30)",
];

describe.skipIf(missing !== null)(
  withReason("table services of ours and of real engines on one table", missing),
  () => {
    const engines: EngineCounts = { pyiceberg: 0, spark: 0 };
    const counts = noCounts();
    let readers: Readers;
    let spark: SparkReader;
    beforeAll(async () => {
      [readers, spark] = await Promise.all([openReaders({ timeoutMs: 600_000 }), openSpark({ timeoutMs: 600_000 })]);
    });
    afterAll(async () => {
      await Promise.all([readers?.[Symbol.asyncDispose](), spark?.[Symbol.asyncDispose]()]);
    });

    async function run(seed: number): Promise<void> {
      const folder = mkdtempSync(join(tmpdir(), "frazil-engines-"));
      const runtime = createRuntime({ debug() {}, info() {}, warn() {}, error() {} }, undefined);
      const { io, catalog, location } = await openWarehouse(warehouseAt(join(folder, "lake"), {}), runtime, "create");
      try {
        const table = { sqlite: join(folder, "lake", "catalog.sqlite"), table: "shop.a" };
        const random = seededRandom(seed);
        const other = (formatVersion: 2 | 3): OtherWriter => ({
          ...engineWriter({ readers, spark }, table, formatVersion, random, engines),
          async rewrite() {
            engines.spark++;
            await spark.sql(table, `CALL {catalog}.system.${SERVICES[random.uint32() % SERVICES.length] as string}`);
          },
        });
        const warehouse = { io, catalog, location, fault: () => undefined };
        await runCampaign(seed, COMMANDS, counts, {
          ...{ warehouse, other, nowMs: () => Date.now(), otherEvery: OTHER_EVERY },
        });
        const expected = await tableRows(io, catalog, { namespace: ["shop"], name: "a" });
        const found = await readers.pyiceberg(table);
        expect(
          found.rows.map((row) => ["id", "part", "value"].map((name) => textOf(row[name])).join("|")).toSorted(),
        ).toEqual(expected);
      } finally {
        await catalog.close();
        rmSync(folder, { recursive: true, force: true });
      }
    }

    it(`leave the rows of a map, over ${RUNS} runs`, { timeout: 1_800_000 }, async () => {
      for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
        try {
          await run(seed);
        } catch (error) {
          throw new Error(`FRAZIL_ENGINE_SEED=${seed} FRAZIL_ENGINE_RUNS=1`, { cause: error });
        }
      }
      // Of format version 2, which PyIceberg writes, is every third.
      if (RUNS < 20) return;
      expect(counts.compactions).toBeGreaterThan(RUNS);
      expect(engines.spark).toBeGreaterThan(RUNS * 2);
      expect(engines.pyiceberg).toBeGreaterThan(RUNS / 4);
    });
  },
);

function textOf(value: unknown): string {
  return typeof value === "string" || typeof value === "number" || typeof value === "bigint" ? String(value) : "null";
}
