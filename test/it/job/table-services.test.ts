import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRuntime } from "../../../src/cli/runtime.ts";
import { warehouseAt } from "../../../src/config/load.ts";
import { runCleaning } from "../../../src/maintenance/clean-orphans/clean.ts";
import { planOrphans } from "../../../src/maintenance/clean-orphans/plan.ts";
import { planManifests, runManifestRewrite } from "../../../src/maintenance/rewrite-manifests/rewrite-manifests.ts";
import { planStatistics, runStatistics } from "../../../src/maintenance/statistics/statistics.ts";
import { openWarehouse, type Warehouse } from "../../../src/warehouse.ts";
import { createManifestCache, type LoadedTable, tableStatistics } from "../../../table-format/index.ts";
import { openReaders, type Readers } from "../../readers/reader.ts";
import { openSpark, type SparkReader } from "../../readers/spark.ts";
import { requireServers, withReason } from "../../require.ts";
import { movingKeys, runScript } from "../../support/scripted-job.ts";

const missing = await requireServers("readers", "spark");
const ROWS = 120;

const CHANGES = movingKeys(ROWS, 3);

describe.skipIf(missing !== null)(
  withReason("tables whose manifests are rewritten and whose orphans are gone", missing),
  () => {
    let readers: Readers;
    let spark: SparkReader;
    beforeAll(async () => {
      [readers, spark] = await Promise.all([openReaders({ timeoutMs: 400_000 }), openSpark({ timeoutMs: 400_000 })]);
    });
    afterAll(async () => {
      await Promise.all([readers?.[Symbol.asyncDispose](), spark?.[Symbol.asyncDispose]()]);
    });

    it.each([2, 3] as const)(
      "are read by Spark, PyIceberg and DuckDB as before, in format version %i",
      async (formatVersion) => {
        const folder = mkdtempSync(join(tmpdir(), "frazil-services-"));
        const runtime = createRuntime({ debug() {}, info() {}, warn() {}, error() {} }, undefined);
        const warehouse = await openWarehouse(warehouseAt(folder, {}), runtime, "create");
        const run = (upTo: number): Promise<void> =>
          runScript(warehouse, CHANGES.slice(0, upTo), {
            rule: { formatVersion, partitionBy: ["part"] },
            checkpointRows: 20,
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
          await run(ROWS);
          await keepManifestsApart(warehouse);
          await run(2 * ROWS);
          const before = await seen();
          expect(before[0]?.length).toBeGreaterThan(ROWS / 2);
          expect(before[1]).toEqual(before[0]);
          expect(before[2]?.length).toBe(before[0]?.length);
          const place = { ...warehouse, runtime, manifests: createManifestCache(1_000) };
          const done = await runManifestRewrite(place, await planManifests(place, await table(warehouse)));
          expect(done.manifestsBefore).toBeGreaterThan(5);
          expect(done.manifestsAfter).toBeLessThan(3);
          expect(await seen()).toEqual(before);
          // And again, of manifests that have been rewritten already.
          await run(3 * ROWS);
          const later = await seen();
          await runManifestRewrite(place, await planManifests(place, await table(warehouse)));
          const settings = { olderThanMs: -3_600_000, locations: [] };
          const { deleted } = await runCleaning(place, await planOrphans(place, await table(warehouse), settings));
          expect(deleted.filter(({ kind }) => kind === "dataFiles")).toEqual([]);
          expect(await seen()).toEqual(later);
        } finally {
          await warehouse.catalog.close();
          rmSync(folder, { recursive: true, force: true });
        }
      },
      600_000,
    );

    it("counts distinct values into the same sketches as Spark, type by type", async () => {
      const folder = mkdtempSync(join(tmpdir(), "frazil-statistics-"));
      const runtime = createRuntime({ debug() {}, info() {}, warn() {}, error() {} }, undefined);
      const warehouse = await openWarehouse(warehouseAt(folder, {}), runtime, "create");
      const located = { sqlite: join(folder, "catalog.sqlite"), table: "shop.types" };
      try {
        await spark.sql(located, "CREATE NAMESPACE IF NOT EXISTS {catalog}.shop");
        await spark.sql(located, `CREATE TABLE {catalog}.shop.types USING iceberg AS ${SOME_OF_EACH_TYPE}`);
        await spark.sql(located, "CALL {catalog}.system.compute_table_stats(table => 'shop.types')");
        const theirs = await sketches(warehouse, "types");
        expect(theirs.size).toBe(10);
        const place = { ...warehouse, runtime, manifests: createManifestCache(1_000) };
        await runStatistics(place, (await planStatistics(place, await table(warehouse, "types"), null))!);
        expect(await sketches(warehouse, "types")).toEqual(theirs);
        // Spark finds the table in order, with statistics that it did not write.
        expect((await spark.sql(located, "SELECT count(*) FROM {table}")).lines).toHaveLength(1);
      } finally {
        await warehouse.catalog.close();
        rmSync(folder, { recursive: true, force: true });
      }
    }, 600_000);
  },
);

/** 200 rows; every column has nulls. */
const SOME_OF_EACH_TYPE = `
  SELECT IF(id % 10 = 0, null, id) AS l, CAST(id % 7 AS int) AS i, CAST(id * 0.25 AS double) AS d, CAST(id % 9 AS float) AS f,
    CAST(id * 1.01 AS decimal(20, 4)) AS big, CAST((id - 50) * 1.5 AS decimal(7, 2)) AS small, id % 2 = 0 AS b,
    concat('name ', CAST(id % 33 AS string)) AS s, date_add(DATE '2026-01-01', CAST(id % 40 - 20 AS int)) AS day,
    timestamp_micros((id - 30) * 1234567) AS at
  FROM range(200)`;

/** The hashes of each column's sketch and its `ndv`, by field, as the table's statistics name them. */
async function sketches({ io, catalog }: Warehouse, name: string): Promise<Map<number, readonly string[]>> {
  const { metadata } = await table({ catalog }, name);
  const [entry] = tableStatistics(metadata);
  const bytes = Buffer.from(await io.read(entry!.path.replace(/^file:/, "")));
  const payload = bytes.subarray(bytes.length - 12 - bytes.readUInt32LE(bytes.length - 12), bytes.length - 12);
  const { blobs } = JSON.parse(payload.toString()) as { blobs: Blob[] };
  return new Map(
    blobs.map(({ fields, offset, length, properties, "compression-codec": codec }) => {
      const stored = bytes.subarray(offset, offset + length);
      const sketch = codec === "zstd" ? zstdDecompressSync(stored) : stored;
      const hashes = Array.from({ length: sketch.length / 8 - (sketch[0]! & 63) }, (_, i) =>
        String(sketch.readBigUInt64LE(8 * ((sketch[0]! & 63) + i))),
      );
      return [fields[0]!, [String(properties["ndv"]), ...hashes.toSorted()]] as const;
    }),
  );
}

interface Blob {
  readonly fields: readonly number[];
  readonly offset: number;
  readonly length: number;
  readonly properties: Readonly<Record<string, string>>;
  readonly "compression-codec"?: string;
}

async function table({ catalog }: Pick<Warehouse, "catalog">, name = "t"): Promise<LoadedTable> {
  const loaded = await catalog.loadTable({ namespace: ["shop"], name });
  if (loaded === null) throw new Error("no table");
  return loaded;
}

/** So that each checkpoint leaves a manifest of its own. */
async function keepManifestsApart({ catalog }: Warehouse): Promise<void> {
  const updates = new Map([["commit.manifest-merge.enabled", "false"]]);
  await catalog.commit([
    {
      ident: { namespace: ["shop"], name: "t" },
      requirements: [],
      updates: [{ action: "set-properties", updates }],
    },
  ]);
}
