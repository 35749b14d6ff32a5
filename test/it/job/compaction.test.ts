import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRuntime } from "../../../src/cli/runtime.ts";
import { warehouseAt } from "../../../src/config/load.ts";
import { sortArrangement, zOrderArrangement } from "../../../src/maintenance/compact/arrangement.ts";
import { runCompaction } from "../../../src/maintenance/compact/compact.ts";
import { planCompaction } from "../../../src/maintenance/compact/plan.ts";
import { openWarehouse, type Warehouse } from "../../../src/warehouse.ts";
import { createManifestCache, currentSchema } from "../../../table-format/index.ts";
import { openReaders, type Readers } from "../../readers/reader.ts";
import { openSpark, type SparkReader } from "../../readers/spark.ts";
import { requireServers, withReason } from "../../require.ts";
import { movingKeys, runScript } from "../../support/scripted-job.ts";

const missing = await requireServers("readers", "spark");
const ROWS = 400;

const CHANGES = movingKeys(ROWS, 3);

describe.skipIf(missing !== null)(withReason("compacted tables", missing), () => {
  let readers: Readers;
  let spark: SparkReader;
  beforeAll(async () => {
    [readers, spark] = await Promise.all([openReaders(), openSpark()]);
  });
  afterAll(async () => {
    await Promise.all([readers?.[Symbol.asyncDispose](), spark?.[Symbol.asyncDispose]()]);
  });

  it.each([2, 3] as const)(
    "are read by Spark, PyIceberg and DuckDB as before, in format version %i",
    async (formatVersion) => {
      const folder = mkdtempSync(join(tmpdir(), "frazil-compaction-"));
      const runtime = createRuntime({ debug() {}, info() {}, warn() {}, error() {} }, undefined);
      const warehouse = await openWarehouse(warehouseAt(folder, {}), runtime, "create");
      const run = (upTo: number): Promise<void> =>
        runScript(warehouse, CHANGES.slice(0, upTo), {
          rule: { formatVersion, partitionBy: ["part"], sortBy: ["value desc"] },
          checkpointRows: 100,
        });
      const located = { sqlite: join(folder, "catalog.sqlite"), table: "shop.t" };
      const lineage = "SELECT id, _row_id, _last_updated_sequence_number FROM {table} ORDER BY id";
      const seen = async (): Promise<(readonly string[])[]> => [
        (await spark.read(located)).lines,
        (await readers.pyiceberg(located)).lines,
        (await readers.duckdb(located)).lines,
        formatVersion === 3 ? (await spark.sql(located, lineage)).lines : [],
      ];
      try {
        await run(2 * ROWS);
        expect(await compact(warehouse)).toBeGreaterThan(0);
        await run(3 * ROWS);
        const before = await seen();
        expect(before[0]?.length).toBeGreaterThan(ROWS / 2);
        expect(before[1]).toEqual(before[0]);
        for (const [arrangement, targetSizeBytes, sortOrderId] of [
          // Files of the table's order are merged in it.
          ["keep", 1 << 20, 1],
          // Several files a partition, so that rows go to other files and places than they had.
          ["id desc", 600, null],
          ["z-order", 600, null],
          ["table", 700, 1],
        ] as const) {
          expect(await compact(warehouse, arrangement, targetSizeBytes), arrangement).toBeGreaterThan(0);
          expect(await seen(), arrangement).toEqual(before);
          const { files } = await readers.describe(located);
          if (arrangement !== "keep") expect(files.length).toBeGreaterThan(3);
          expect(new Set(files.map((file) => file.sortOrderId)), arrangement).toEqual(new Set([sortOrderId]));
        }
      } finally {
        await warehouse.catalog.close();
        rmSync(folder, { recursive: true, force: true });
      }
    },
    480_000,
  );
});

/** @returns how many groups were rewritten. */
async function compact(
  { io, catalog }: Warehouse,
  arrangement: "keep" | "table" | "z-order" | "id desc" = "keep",
  targetSizeBytes = 1 << 20,
): Promise<number> {
  const runtime = createRuntime({ debug() {}, info() {}, warn() {}, error() {} }, undefined);
  const context = { io, catalog, runtime, manifests: createManifestCache(1_000) };
  const table = await catalog.loadTable({ namespace: ["shop"], name: "t" });
  if (table === null) throw new Error("no table");
  const schema = currentSchema(table.metadata);
  const plan = await planCompaction(context, table, {
    targetSizeBytes,
    minFiles: 2,
    arrangement:
      arrangement === "keep"
        ? undefined
        : arrangement === "z-order"
          ? zOrderArrangement(schema, ["id", "value"])
          : sortArrangement(table.metadata, schema, arrangement === "table" ? null : [arrangement]),
    // Less than a row group: sorted runs go through the scratch folder.
    memoryBytes: 4_096,
  });
  return (await Array.fromAsync(runCompaction(context, plan))).filter(({ snapshotId }) => snapshotId !== null).length;
}
