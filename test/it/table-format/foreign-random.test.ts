import { mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLocalStorage } from "../../../src/storage/local.ts";
import {
  currentSchema,
  currentSnapshot,
  must,
  parseTableMetadata,
  snapshotById,
  snapshotSchema,
  type TableMetadata,
} from "../../../table-format/index.ts";
import { installReaders } from "../../readers/install.ts";
import { metadataFile } from "../../readers/reader.ts";
import { openSpark, type SparkReader } from "../../readers/spark.ts";
import { requireServers, withReason } from "../../require.ts";
import { progressOnStderr } from "../../services/progress.ts";
import { runTool } from "../../services/tools.ts";
import { scanLines } from "../../support/canonical-cells.ts";
import { Dice } from "../../support/fuzz/mutate.ts";
import { bothDiffs } from "../../support/golden-table.ts";
import { sparkStory } from "./spark-stories.ts";

/** `FRAZIL_FOREIGN_TABLES` sets how many tables Spark writes, and PyIceberg four times as many; `FRAZIL_FOREIGN_SEED` the first seed. */
const TABLES = Number(process.env["FRAZIL_FOREIGN_TABLES"] ?? 2);
const FIRST = Number(process.env["FRAZIL_FOREIGN_SEED"] ?? 1);
const SEEDS = Array.from({ length: TABLES }, (_, i) => FIRST + i);
const missing = await requireServers("readers", "spark");
const io = createLocalStorage();

async function load(location: string): Promise<TableMetadata> {
  const path = location.replace(/^file:(\/\/)?/, "");
  return parseTableMetadata(await readFile(path), path);
}

/** The changes from each snapshot to the next, and from the first to the last, are those of a comparison of all rows. */
async function expectChanges(metadata: TableMetadata): Promise<void> {
  const { snapshots } = metadata;
  const [first, last] = [must(snapshots[0], "a snapshot"), must(snapshots.at(-1), "a snapshot")];
  const pairs = snapshots.slice(1).map((to, i) => [must(snapshots[i], "a snapshot"), to] as const);
  for (const [from, to] of [...pairs, [first, last] as const]) {
    const { planned, compared } = await bothDiffs({ io, metadata }, from, to);
    expect(planned).toEqual(compared);
  }
}

describe.skipIf(missing !== null)(withReason("random tables of others", missing), () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "frazil-others-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("of PyIceberg are read equal, at the head and at every snapshot", { timeout: 900_000 }, async () => {
    const script = fileURLToPath(new URL("../../readers/write_random.py", import.meta.url));
    const python = await installReaders(progressOnStderr);
    // It is quick: more than of Spark.
    const seeds = Array.from({ length: 4 * TABLES }, (_, i) => FIRST + i);
    const env = { ...process.env, TZ: "UTC", PYTHONDONTWRITEBYTECODE: "1", PYICEBERG_HOME: "/nonexistent" };
    await runTool(python, [script, JSON.stringify({ folder, seeds })], { env, timeoutMs: 900_000 });
    const tables = (await readFile(join(folder, "tables.jsonl"), "utf8")).trimEnd().split("\n");
    expect(tables).toHaveLength(seeds.length);
    for (const line of tables) {
      const { seed, location, snapshots, head } = JSON.parse(line) as {
        readonly seed: number;
        readonly location: string;
        readonly snapshots: Readonly<Record<string, readonly string[]>>;
        readonly head: readonly string[];
      };
      const metadata = await load(location);
      expect(metadata.snapshots.length).toBeGreaterThan(1);
      for (const snapshot of metadata.snapshots) {
        const ours = await scanLines(io, metadata, snapshot, snapshotSchema(metadata, snapshot).fields);
        expect({ seed, ours }).toEqual({ seed, ours: snapshots[String(snapshot.snapshotId)] });
      }
      const ours = await scanLines(
        io,
        metadata,
        must(currentSnapshot(metadata), "a head"),
        currentSchema(metadata).fields,
      );
      expect({ seed, ours }).toEqual({ seed, ours: head });
      await expectChanges(metadata);
    }
  });

  describe("of Spark", () => {
    let spark: SparkReader;
    const tableOf = (name: string) => ({ sqlite: join(folder, "spark.sqlite"), table: `n.${name}`, catalog: "j" });
    beforeAll(async () => {
      spark = await openSpark({ timeoutMs: 900_000 });
      await spark.sql(tableOf("none"), "CREATE NAMESPACE IF NOT EXISTS {catalog}.n");
    }, 900_000);
    afterAll(() => spark?.[Symbol.asyncDispose]());

    test.each(SEEDS)("seed %i: every snapshot, branch and tag", { timeout: 900_000 }, async (seed) => {
      const table = tableOf(`s${seed}`);
      for (const statement of sparkStory(new Dice(seed))) {
        await spark.sql(table, statement.replaceAll("{name}", table.table));
      }
      const metadata = await load(metadataFile(table));
      const at = (snapshotId: bigint) => must(snapshotById(metadata, snapshotId), "a snapshot");
      for (const snapshot of metadata.snapshots) {
        const { lines } = await spark.read(table, { snapshotId: snapshot.snapshotId });
        expect(await scanLines(io, metadata, snapshot, snapshotSchema(metadata, snapshot).fields)).toEqual(lines);
      }
      for (const [name, { snapshotId, type }] of metadata.refs) {
        const snapshot = at(snapshotId);
        const { lines } = await spark.sql(table, `SELECT * FROM {table} VERSION AS OF '${name}'`);
        // Branches are read by the table's schema, tags by that of their snapshot.
        const { fields } = type === "branch" ? currentSchema(metadata) : snapshotSchema(metadata, snapshot);
        expect({ name, lines: await scanLines(io, metadata, snapshot, fields) }).toEqual({ name, lines });
      }
      await expectChanges(metadata);
    });
  });
});
