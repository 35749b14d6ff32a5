import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRuntime } from "../../../src/cli/runtime.ts";
import { warehouseAt } from "../../../src/config/load.ts";
import { openWarehouse } from "../../../src/warehouse.ts";
import { openReaders, type Readers } from "../../readers/reader.ts";
import type { TableContents } from "../../readers/requests.ts";
import { openSpark, type SparkReader } from "../../readers/spark.ts";
import { requireServers, withReason } from "../../require.ts";
import { type Command, commands, foreignChange, type Setting, settings } from "../../support/upsert-commands.ts";
import { type EngineCounts, engineWriter } from "../../support/upsert-engines.ts";
import { UpsertRun } from "../../support/upsert-run.ts";
import { seededRandom } from "../../support/virtual-runtime.ts";

const missing = await requireServers("readers", "spark");

const RUNS = Number(process.env["FRAZIL_ENGINE_RUNS"] ?? 20);
const COMMANDS = 100;
/** Changes of others a run, beside those that the commands have. */
const FOREIGN = 6;
const SEED = Number(process.env["FRAZIL_ENGINE_SEED"] ?? 6);

/** Of a hundred runs so many keep their keys in files. */
const WITH_SIDECARS = 20;

describe.skipIf(missing !== null)(withReason("upsert tables that real engines write to, too", missing), () => {
  const counts: EngineCounts = { pyiceberg: 0, spark: 0 };
  let readers: Readers;
  let spark: SparkReader;
  beforeAll(async () => {
    [readers, spark] = await Promise.all([openReaders({ timeoutMs: 600_000 }), openSpark({ timeoutMs: 600_000 })]);
  });
  afterAll(async () => {
    await Promise.all([readers?.[Symbol.asyncDispose](), spark?.[Symbol.asyncDispose]()]);
  });

  /** Runs the commands on a local warehouse, and compares what other readers find at the end. */
  async function run(setting: Setting, given: readonly Command[]): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), "frazil-engines-"));
    const cache = join(folder, "keys");
    mkdirSync(cache);
    const runtime = createRuntime({ debug() {}, info() {}, warn() {}, error() {} }, undefined);
    const { io, catalog, location } = await openWarehouse(warehouseAt(join(folder, "lake"), {}), runtime, "create");
    try {
      const table = { sqlite: join(folder, "lake", "catalog.sqlite"), table: "shop.a" };
      const other = engineWriter({ readers, spark }, table, setting.formatVersion, seededRandom(setting.seed), counts);
      const warehouse = { io, catalog, location, fault: () => undefined };
      const upserts = new UpsertRun(setting, setting.sidecars ? cache : null, warehouse, other);
      await upserts.run(given);
      if ((await catalog.loadTable({ namespace: ["shop"], name: "a" })) === null) return;
      const expected = upserts.expected();
      for (const found of [await readers.pyiceberg(table), await readers.duckdb(table)]) {
        const names = found.columns.map(({ name }) => name);
        expect(textsOf(found.rows, names)).toEqual(textsOf(expected, names));
      }
    } finally {
      await catalog.close();
      rmSync(folder, { recursive: true, force: true });
    }
  }

  it(`hold what a map says, and so do PyIceberg and DuckDB, over ${RUNS} runs`, { timeout: 1_800_000 }, async () => {
    const drawn = fc.tuple(
      fc.constantFrom(2 as const, 3 as const).chain((version) => settings(version, WITH_SIDECARS)),
      commands(COMMANDS),
      fc.array(foreignChange, { minLength: FOREIGN, maxLength: FOREIGN }),
    );
    // Not shrunk: a run takes seconds. What fails is printed as it was drawn.
    for (const [number, [setting, own, acts]] of fc.sample(drawn, { numRuns: RUNS, seed: SEED }).entries()) {
      const given = own.flatMap((command, index): Command[] => {
        const act = index % Math.ceil(COMMANDS / FOREIGN) === 0 ? acts.pop() : undefined;
        return act === undefined ? [command] : [command, { kind: "foreign", act }];
      });
      try {
        await run(setting, given);
      } catch (error) {
        throw new Error(`run ${number} of seed ${SEED}: ${JSON.stringify(setting)} ${JSON.stringify(given)}`, {
          cause: error,
        });
      }
    }
    expect(counts.spark).toBeGreaterThan(RUNS);
    expect(counts.pyiceberg).toBeGreaterThan(RUNS / 5);
  });
});

/** A row each, whatever widths numbers have. */
function textsOf(rows: TableContents["rows"] | ReturnType<UpsertRun["expected"]>, names: readonly string[]): string[] {
  return rows.map((row) => names.map((name) => textOf(row[name] ?? null)).join("|")).sort();
}

function textOf(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(/^-?\d+$/.test(value) ? Number(value) : value);
  return typeof value === "number" || typeof value === "bigint" ? String(value) : "null";
}
