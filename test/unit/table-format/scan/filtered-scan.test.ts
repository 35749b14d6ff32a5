import { expect, test } from "vitest";
import { createMemoryStorage } from "../../../../src/storage/memory.ts";
import type { Expression } from "../../../../table-format/expression/expression.ts";
import { must, snapshotById } from "../../../../table-format/index.ts";
import { planFiles } from "../../../../table-format/scan/file-tasks.ts";
import { planSnapshot } from "../../../../table-format/scan/plan.ts";
import { scanLines } from "../../../support/canonical-cells.ts";
import { Dice } from "../../../support/fuzz/mutate.ts";
import { RandomTable } from "../../../support/random-table.ts";
import { modelLines, valueOf } from "../../../support/random-values.ts";
import { filterColumns, randomFilter, truthOf } from "../expression/filters.ts";

/** `FRAZIL_RANDOM_FILTERS` sets another number of tables, `FRAZIL_RANDOM_SEED` the first seed. */
const TABLES = Number(process.env["FRAZIL_RANDOM_FILTERS"] ?? 6);
const FIRST = Number(process.env["FRAZIL_RANDOM_SEED"] ?? 1);
const FILTERS = 25;

test.each(Array.from({ length: TABLES }, (_, i) => FIRST + i))(
  "table %i: each snapshot by random filters gives the rows of which they are true",
  { timeout: 120_000 },
  async (seed) => {
    const io = createMemoryStorage();
    const dice = new Dice(seed + 7_000);
    const table = new RandomTable(io, "mem://w", new Dice(seed));
    await table.live();
    const { metadata } = table.table;
    const all = [...table.history];
    let skipped = 0;
    for (let i = 0; i < FILTERS; i++) {
      const [id, { rows, schema }] = dice.pick(all);
      const snapshot = must(snapshotById(metadata, id), "a snapshot");
      const filter: Expression = randomFilter(filterColumns(schema), dice);
      const wanted = rows.filter((row) => {
        const valueAt = (term: string) =>
          valueOf(
            row,
            must(
              schema.fields.find(({ name }) => name === term),
              `a column ${term}`,
            ),
          );
        return truthOf(filter, valueAt) === true;
      });
      const context = JSON.stringify(filter, (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));
      expect(await scanLines(io, metadata, snapshot, schema.fields, filter), context).toEqual(
        modelLines(wanted, schema.fields),
      );
      const planned = new Set<string>();
      for await (const { data } of planFiles(io, metadata, snapshot, { filter })) planned.add(data.file.filePath);
      for (const { path } of wanted) expect(planned, context).toContain(path);
      const plan = await planSnapshot(io, metadata, snapshot, undefined, { filter });
      expect(new Set(plan.dataFiles.map(({ file }) => file.filePath))).toEqual(planned);
      skipped += (await planSnapshot(io, metadata, snapshot)).dataFiles.length - planned.size;
    }
    // Planning is no pruning when it never leaves a file out.
    expect(skipped).toBeGreaterThan(0);
  },
);
