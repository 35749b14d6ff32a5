import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLocalStorage } from "../../../src/storage/local.ts";
import {
  currentSchema,
  diffSnapshots,
  must,
  scanRows,
  snapshotById,
  snapshotSchema,
} from "../../../table-format/index.ts";
import { openReaders, type Readers } from "../../readers/reader.ts";
import type { TableContents } from "../../readers/requests.ts";
import { openSpark, type SparkReader } from "../../readers/spark.ts";
import { requireServers, withReason } from "../../require.ts";
import { scanLines } from "../../support/canonical-cells.ts";
import { Dice } from "../../support/fuzz/mutate.ts";
import { RandomTable } from "../../support/random-table.ts";
import { modelLines } from "../../support/random-values.ts";
import { type Engine, type Gap, gapOf } from "./engine-gaps.ts";
import { EngineMatrix } from "./engine-matrix.ts";

/** `FRAZIL_RANDOM_TABLES` sets another number, `FRAZIL_RANDOM_SEED` the first seed. */
const TABLES = Number(process.env["FRAZIL_RANDOM_TABLES"] ?? 50);
const FIRST = Number(process.env["FRAZIL_RANDOM_SEED"] ?? 1);
/** Spark is asked for so many at once. */
const ROUND = 25;
const missing = await requireServers("readers", "spark");
const io = createLocalStorage();

describe.skipIf(missing !== null)(withReason("random tables of ours", missing), () => {
  let readers: Readers;
  let spark: SparkReader;
  let folder: string;
  const matrix = new EngineMatrix();
  beforeAll(async () => {
    [readers, spark] = await Promise.all([openReaders({ timeoutMs: 600_000 }), openSpark({ timeoutMs: 600_000 })]);
    folder = mkdtempSync(join(tmpdir(), "frazil-random-"));
  }, 600_000);
  afterAll(async () => {
    await Promise.all([readers?.[Symbol.asyncDispose](), spark?.[Symbol.asyncDispose]()]);
    rmSync(folder, { recursive: true, force: true });
    console.log(matrix.print());
  });

  /** The rows that an engine gives for the newest snapshot are the model's, or it says what it does not read. */
  const expectEqual = (engine: Engine, table: RandomTable, gap: Gap | null, found: TableContents | Error | null) => {
    const isGap = gap !== null && (gap.says === null || (found instanceof Error && gap.says.test(found.message)));
    if (!isGap) {
      const { rows } = must([...table.history.values()].at(-1), "a snapshot");
      const lines = modelLines(rows, currentSchema(table.table.metadata).fields);
      expect(found instanceof Error ? found.message : found?.lines).toEqual(lines);
    }
    matrix.count(engine, table.features, isGap ? gap.why : null);
  };

  const rounds = Array.from({ length: Math.ceil(TABLES / ROUND) }, (_, i) => FIRST + i * ROUND);
  test.each(rounds)(
    "from seed %i on: every snapshot by us, the newest by PyIceberg, Spark and DuckDB, changes between all",
    { timeout: 900_000 },
    async (first) => {
      const seeds = Array.from({ length: Math.min(ROUND, FIRST + TABLES - first) }, (_, i) => first + i);
      const tables = new Map<number, RandomTable>();
      for (const seed of seeds) {
        const table = new RandomTable(io, join(folder, `w${seed}`), new Dice(seed));
        await table.live();
        tables.set(seed, table);
      }
      const gaps = async (engine: Engine) =>
        new Map(
          await Promise.all(
            [...tables].map(async ([seed, { table }]) => [seed, await gapOf(engine, io, table.metadata)] as const),
          ),
        );
      const asked = async (engine: Engine) => {
        const known = await gaps(engine);
        return { known, asked: [...tables].filter(([seed]) => known.get(seed)?.says !== null) };
      };
      const bySpark = asked("spark").then(async ({ known, asked }) => {
        const found = await spark.readMany(asked.map(([, { table }]) => ({ location: table.metadataLocation })));
        return { known, found: new Map(asked.map(([seed], i) => [seed, must(found[i], "an answer")])) };
      });
      const inPython = async (engine: "pyiceberg" | "duckdb") => {
        const { known, asked: some } = await asked(engine);
        const read = async ({ table: { metadataLocation } }: RandomTable): Promise<TableContents | Error> => {
          try {
            return await readers[engine]({ location: metadataLocation });
          } catch (error) {
            return error as Error;
          }
        };
        return {
          known,
          found: new Map(await Promise.all(some.map(async ([seed, table]) => [seed, await read(table)] as const))),
        };
      };
      const answers = { spark: bySpark, pyiceberg: inPython("pyiceberg"), duckdb: inPython("duckdb") };
      for (const [seed, table] of tables) {
        await of(seed, async () => {
          const { metadata } = table.table;
          for (const [id, { rows, schema }] of table.history) {
            const snapshot = must(snapshotById(metadata, id), "a snapshot");
            expect(snapshotSchema(metadata, snapshot).fields).toEqual(schema.fields);
            expect(await scanLines(io, metadata, snapshot, schema.fields)).toEqual(modelLines(rows, schema.fields));
          }
          matrix.count("ours", table.features, null);
          await compareChanges(table);
        });
      }
      for (const engine of ["pyiceberg", "spark", "duckdb"] as const) {
        const { known, found } = await answers[engine];
        for (const [seed, table] of tables) {
          await of(
            seed,
            async () => expectEqual(engine, table, known.get(seed) ?? null, found.get(seed) ?? null),
            engine,
          );
        }
      }
    },
  );

  /** Names the seed in what goes wrong. */
  async function of(seed: number, check: () => Promise<void>, engine: Engine | "ours" = "ours"): Promise<void> {
    try {
      await check();
    } catch (error) {
      throw new Error(`${engine}, FRAZIL_RANDOM_SEED=${seed} FRAZIL_RANDOM_TABLES=1: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  /** The changes between two snapshots, by place, are those of a comparison of all rows of both. */
  async function compareChanges({ table: { metadata }, history }: RandomTable): Promise<void> {
    const places = new Map<bigint, Set<string>>();
    for (const id of history.keys()) {
      const found = new Set<string>();
      for await (const { file, positions } of scanRows(io, metadata, must(snapshotById(metadata, id), "a snapshot"), {
        fields: [],
      })) {
        for (const position of positions) found.add(`${file.filePath}#${position}`);
      }
      places.set(id, found);
    }
    const ids = [...history.keys()];
    for (const from of ids) {
      for (const to of ids) {
        const [before, after] = [from, to].map((id) => must(snapshotById(metadata, id), "a snapshot"));
        const plan = await diffSnapshots(io, metadata, must(before, "from"), must(after, "to"));
        const listed = (changes: typeof plan.inserted) =>
          changes.flatMap(({ file, positions }) =>
            [...(positions?.toArray() ?? Array.from({ length: Number(file.recordCount) }, (_, i) => i))].map(
              (at) => `${file.filePath}#${at}`,
            ),
          );
        const [old, now] = [must(places.get(from), "places"), must(places.get(to), "places")];
        expect(listed(plan.inserted).toSorted()).toEqual([...now.difference(old)].toSorted());
        expect(listed(plan.deleted).toSorted()).toEqual([...old.difference(now)].toSorted());
      }
    }
  }
});
