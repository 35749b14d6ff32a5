import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRuntime } from "../../../src/cli/runtime.ts";
import { warehouseAt } from "../../../src/config/load.ts";
import type { Runtime } from "../../../src/core/runtime.ts";
import { runCompaction } from "../../../src/maintenance/compact/compact.ts";
import { planCompaction } from "../../../src/maintenance/compact/plan.ts";
import { openWarehouse, type Warehouse } from "../../../src/warehouse.ts";
import {
  cellAt,
  createManifestCache,
  currentSchema,
  currentSnapshot,
  decodeVariant,
  must,
  planSnapshot,
  scanRows,
  type Variant,
  variantJson,
} from "../../../table-format/index.ts";
import { readFooter } from "../../../table-format/parquet/footer.ts";
import { openSpark, type SparkReader } from "../../readers/spark.ts";
import { requireServers, withReason } from "../../require.ts";

const missing = await requireServers("spark");

/** Rows of one shape, some with a field more, so that a writer that shreds has something to shred; then every other kind of value. */
const STATEMENTS = [
  `INSERT INTO {table} SELECT /*+ COALESCE(1) */ id, parse_json(concat('{"a":', id, ',"b":"text ', id, '","n":null,"l":[', id, ',"x",{"k":1.5}],"o":{"p":true,"q":', id * 9007199254740993, '}', IF(id % 3 = 0, ',"extra":"some"', ''), '}')) FROM range(60)`,
  `INSERT INTO {table} VALUES (100, NULL), (101, parse_json('null')), (102, parse_json('[]')), (103, parse_json('{}')), (104, parse_json('"text"')), (105, parse_json('12345678901234567890.123456789')), (106, parse_json('[1,[2,{"z":[]}],"ü"]'))`,
  `INSERT INTO {table} SELECT 200, to_variant_object(named_struct('ts', TIMESTAMP'2024-02-29 12:00:00.000001', 'ntz', TIMESTAMP_NTZ'1969-12-31 23:59:59.999999', 'd', DATE'2024-02-29', 'dec', CAST(-1.5 AS DECIMAL(38,10)), 'bin', X'00ff', 'f', float(1.1), 'tiny', CAST(-7 AS TINYINT)))`,
  "DELETE FROM {table} WHERE id % 7 = 3",
];
/** Of the row whose types JSON has not. */
const TYPED = new Map<string, object>([
  ["bin", { kind: "binary", value: Uint8Array.of(0, 255) }],
  ["d", { kind: "date", value: 19_782 }],
  ["dec", { kind: "decimal8", unscaled: -15_000_000_000n, scale: 10 }],
  ["f", { kind: "float", value: Math.fround(1.1) }],
  ["ntz", { kind: "timestamp", value: -1n }],
  ["tiny", { kind: "int8", value: -7n }],
  ["ts", { kind: "timestamptz", value: 1_709_208_000_000_001n }],
]);

describe.skipIf(missing !== null)(withReason("variants that Spark wrote", missing), () => {
  let spark: SparkReader;
  let folder: string;
  let warehouse: Warehouse;
  let runtime: Runtime;
  beforeAll(async () => {
    spark = await openSpark({ timeoutMs: 600_000 });
    folder = mkdtempSync(join(tmpdir(), "frazil-variants-"));
    runtime = createRuntime({ debug() {}, info() {}, warn() {}, error() {} }, undefined);
    warehouse = await openWarehouse(warehouseAt(folder, {}), runtime, "create");
    await warehouse.catalog.ensureNamespace(["ns"]);
  }, 600_000);
  afterAll(async () => {
    await spark?.[Symbol.asyncDispose]();
    await warehouse?.catalog.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test.each(["plain", "shredded", "avro"] as const)("%s", { timeout: 900_000 }, async (kind) => {
    const name = `v_${kind}`;
    const shredded = kind === "shredded";
    const format = kind === "avro" ? "avro" : "parquet";
    const place = { sqlite: join(folder, "catalog.sqlite"), table: `ns.${name}` };
    const load = async () => must(await warehouse.catalog.loadTable({ namespace: ["ns"], name }), "the table");
    const bySpark = async () => {
      const { rows } = await spark.sql(place, "SELECT id, to_json(v) AS j FROM {table} WHERE id < 200");
      return rows.map(({ id, j }) => `${id as string} ${(j as string | null) ?? "null"}`);
    };
    await spark.sql(
      place,
      `CREATE TABLE {table} (id BIGINT, v VARIANT) USING iceberg TBLPROPERTIES ('format-version'='3', 'write.delete.mode'='merge-on-read', 'write.format.default'='${format}', 'write.parquet.shred-variants'='${shredded}')`,
    );
    for (const statement of STATEMENTS) await spark.sql(place, statement);

    const expectEqual = async () => {
      const { metadata } = await load();
      const rows = new Map<bigint, Variant | null>();
      for await (const { length, columns } of scanRows(
        warehouse.io,
        metadata,
        must(currentSnapshot(metadata), "a head"),
      )) {
        for (let row = 0; row < length; row++) {
          const [id, v] = columns.map((column) => cellAt(column, row));
          rows.set(id as bigint, v as Variant | null);
        }
      }
      const typed = must(rows.get(200n), "the row of types");
      expect(decodeVariant(typed)).toEqual({ kind: "object", fields: TYPED });
      rows.delete(200n);
      const ours = Array.from(rows, ([id, v]) => `${id} ${v === null ? "null" : variantJson(v)}`);
      const theirs = await bySpark();
      expect(ours.sort()).toEqual(theirs.sort());
      expect(ours.length).toBeGreaterThan(50);
    };
    await expectEqual();

    const files = async () => {
      const { metadata } = await load();
      return (await planSnapshot(warehouse.io, metadata, must(currentSnapshot(metadata), "a head"))).dataFiles;
    };
    const shreddedFiles = [];
    for (const { file } of await files()) {
      expect(file.fileFormat.toLowerCase()).toBe(format);
      if (format === "avro") continue;
      const { metadata } = await readFooter(warehouse.io, file, null);
      shreddedFiles.push(metadata.schema.some((element) => element.name === "typed_value"));
    }
    expect(shreddedFiles.includes(true)).toBe(shredded);

    // Avro files are not compacted.
    if (kind === "avro") return;
    // What we write anew Spark reads as it was.
    const context = {
      io: warehouse.io,
      catalog: warehouse.catalog,
      runtime,
      manifests: createManifestCache(100),
      warehouseLocation: warehouse.location,
    };
    const plan = await planCompaction(context, await load(), {
      targetSizeBytes: 1 << 20,
      minFiles: 2,
      memoryBytes: 1 << 24,
    });
    for await (const { skipped } of runCompaction(context, plan)) expect(skipped).toBe(null);
    expect((await files()).length).toBe(1);
    await expectEqual();
    expect(currentSchema((await load()).metadata).fields[1]?.type).toEqual({ kind: "variant" });
  });
});
