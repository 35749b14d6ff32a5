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
import { requireServers, withReason } from "../../require.ts";
import { scanLines } from "../../support/canonical-cells.ts";
import { Dice } from "../../support/fuzz/mutate.ts";
import { type Feature, RandomTable } from "../../support/random-table.ts";
import { modelLines } from "../../support/random-values.ts";

/** `FRAZIL_RANDOM_TABLES` sets another number, `FRAZIL_RANDOM_SEED` the first seed. */
const TABLES = Number(process.env["FRAZIL_RANDOM_TABLES"] ?? 25);
const FIRST = Number(process.env["FRAZIL_RANDOM_SEED"] ?? 1);
const missing = await requireServers("readers");
const io = createLocalStorage();

/** What an engine does not read, as it says itself. */
const REFUSALS: Readonly<Record<"pyiceberg" | "duckdb", RegExp>> = {
  pyiceberg: /does not yet support equality deletes/,
  duckdb: /equality deletes with nulls|Unrecognized primitive type: timestamptz_ns/,
};

type Outcome = "equal" | "refused";

describe.skipIf(missing !== null)(withReason("random tables of ours", missing), () => {
  let readers: Readers;
  let folder: string;
  const matrix = new Map<string, Map<Feature, Record<Outcome, number>>>();
  beforeAll(async () => {
    readers = await openReaders({ timeoutMs: 600_000 });
    folder = mkdtempSync(join(tmpdir(), "frazil-random-"));
  }, 600_000);
  afterAll(async () => {
    await readers?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
    const engines = [...matrix.keys()];
    const features = [...new Set([...matrix.values()].flatMap((counts) => [...counts.keys()]))].sort();
    console.table(
      Object.fromEntries(
        features.map((feature) => [
          feature,
          Object.fromEntries(
            engines.map((engine) => {
              const { equal = 0, refused = 0 } = matrix.get(engine)?.get(feature) ?? {};
              return [engine, refused === 0 ? `equal ${equal}` : `equal ${equal}, refused ${refused}`];
            }),
          ),
        ]),
      ),
    );
  });

  const count = (engine: string, table: RandomTable, outcome: Outcome) => {
    const counts = matrix.get(engine) ?? new Map<Feature, Record<Outcome, number>>();
    matrix.set(engine, counts);
    for (const feature of table.features) {
      const each = counts.get(feature) ?? { equal: 0, refused: 0 };
      each[outcome]++;
      counts.set(feature, each);
    }
  };

  /** The rows that a reader gives for the newest snapshot are the model's, or it says what it does not read. */
  const compare = async (engine: "pyiceberg" | "duckdb", table: RandomTable) => {
    const { metadata, metadataLocation } = table.table;
    const { rows } = must([...table.history.values()].at(-1), "a snapshot");
    const fields = currentSchema(metadata).fields;
    try {
      // DuckDB 1.5.5 takes null keys of equality deletes for something else, or ends with a segmentation fault.
      if (engine === "duckdb" && [...table.features].some((feature) => feature.startsWith("equality"))) {
        throw new Error("equality deletes with nulls");
      }
      const { lines } = await readers[engine]({ location: metadataLocation });
      expect(lines).toEqual(modelLines(rows, fields));
      count(engine, table, "equal");
    } catch (error) {
      if (!REFUSALS[engine].test(String(error))) throw error;
      count(engine, table, "refused");
    }
  };

  test.each(Array.from({ length: TABLES }, (_, i) => FIRST + i))(
    "table %i: every snapshot by us, the newest by PyIceberg and DuckDB, changes between all",
    { timeout: 600_000 },
    async (seed) => {
      const table = new RandomTable(io, join(folder, `w${seed}`), new Dice(seed));
      await table.live();
      const { metadata } = table.table;
      for (const [id, { rows, schema }] of table.history) {
        const snapshot = must(snapshotById(metadata, id), "a snapshot");
        expect(snapshotSchema(metadata, snapshot).fields).toEqual(schema.fields);
        expect(await scanLines(io, metadata, snapshot, schema.fields)).toEqual(modelLines(rows, schema.fields));
      }
      count("ours", table, "equal");
      await compareChanges(table);
      await compare("pyiceberg", table);
      await compare("duckdb", table);
    },
  );

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
