import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { PrimitiveType } from "../../../table-format/index.ts";
import type { TableRule } from "../../../src/core/table-rule.ts";
import { memoryWarehouse, Process, upsertRule } from "../../support/checkpoints.ts";
import { ForeignWriter } from "../../support/foreign-writer.ts";
import { batchOf, type Cell, type Row } from "../../support/rows-batch.ts";
import { tableRows } from "../../support/table-rows.ts";

const folder = mkdtempSync(join(tmpdir(), "frazil-order-"));
afterAll(() => rmSync(folder, { recursive: true }));

const LONG: PrimitiveType = { kind: "long" };
const TEXT: PrimitiveType = { kind: "string" };
let folders = 0;

/** Commits each list of rows as a checkpoint; `restarts`: of a process of its own. */
async function outcome(
  rule: Partial<TableRule>,
  columns: Record<string, PrimitiveType>,
  checkpoints: readonly (readonly Row[])[],
  given: { onDisk?: boolean; restarts?: boolean } = {},
) {
  const warehouse = memoryWarehouse("memory");
  const rules = [upsertRule("a", { orderBy: "at", ...rule })];
  const keys = given.onDisk === true ? { folder: join(folder, String(++folders)), limitBytes: 0 } : undefined;
  let process: Process | null = null;
  let point = 0;
  let dropped = 0;
  for (const rows of checkpoints) {
    if (process === null || given.restarts === true) process = await Process.start(warehouse, rules, undefined, keys);
    const timesUs = rows.map((_, row) => point + row + 1);
    const batch = batchOf(process, columns, rows, point, { timesUs });
    point += rows.length;
    await process.checkpointOf([batch], point);
    dropped += process.events.at(-1)?.dropped ?? 0;
  }
  return { rows: await tableRows(warehouse.io, warehouse.catalog, { namespace: ["shop"], name: "a" }), dropped };
}

it.each([
  ["evolve", { schemaChanges: "evolve" }],
  ["ignore", { schemaChanges: "ignore" }],
  ["ignore, and no order_by", { schemaChanges: "ignore", orderBy: undefined }],
] as const)("deletes before the first row, which name the key alone, under schema_changes: %s", async (_, rule) => {
  const warehouse = memoryWarehouse("memory");
  const process = await Process.start(warehouse, [upsertRule("a", { orderBy: "at", ...rule })]);
  process.checkpointer.add(batchOf(process, { id: LONG }, [["delete", 1]], 0));
  if (process.checkpointer.bufferedRows > 0) await process.checkpointOf([], 1);
  await process.checkpointOf([batchOf(process, { id: LONG, at: LONG }, [["insert", 1, 5]], 1)], 2);
  expect(await tableRows(warehouse.io, warehouse.catalog, { namespace: ["shop"], name: "a" })).toEqual(["1|5"]);
});

const TYPES: readonly [string, PrimitiveType, low: Cell, high: Cell][] = [
  // Neighbours that one double stands for.
  ["long", LONG, 9_007_199_254_740_992n, 9_007_199_254_740_993n],
  ["a negative long", LONG, -9_007_199_254_740_993n, -9_007_199_254_740_992n],
  ["int", { kind: "int" }, -1, 0],
  ["date", { kind: "date" }, 20_000, 20_001],
  ["timestamp", { kind: "timestamp" }, 1_767_225_600_000_000n, 1_767_225_600_000_001n],
  ["timestamptz_ns", { kind: "timestamptz_ns" }, 1_767_225_600_000_000_000n, 1_767_225_600_000_000_001n],
  ["decimal", { kind: "decimal", precision: 38, scale: 10 }, -(10n ** 37n) - 1n, -(10n ** 37n)],
  ["a wide decimal", { kind: "decimal", precision: 38, scale: 0 }, 2n ** 64n + 1n, 2n ** 64n + 2n],
  // By bytes: U+FF61 is EF BD A1, U+10000 is F0 90 80 80, the other way round than by UTF-16 units.
  ["string", TEXT, "\u{ff61}", "\u{10000}"],
  ["binary", { kind: "binary" }, Uint8Array.of(0x7f), Uint8Array.of(0x80)],
];

describe.each(TYPES)("order_by a column of type %s", (_, type, low, high) => {
  const columns = { id: LONG, name: TEXT, at: type };
  const names = (rows: readonly string[]) => rows.map((row) => row.split("|").slice(0, 2).join("|"));

  it.each([
    ["in one checkpoint", false],
    ["over checkpoints and processes", true],
  ])("drops what is lower, takes what is equal or higher, %s", async (__, apart) => {
    const rows: Row[] = [
      ["insert", 1, "high", high],
      ["update", 1, "late", low],
      ["insert", 2, "null", null],
      ["insert", 2, "low", low],
      ["insert", 2, "null again", null],
      ["insert", 3, "low", low],
      ["update", 3, "low again", low],
      ["insert", 4, "null", null],
      ["insert", 4, "null again", null],
    ];
    const checkpoints = apart ? rows.map((row) => [row]) : [rows];
    const found = await outcome({}, columns, checkpoints, { restarts: true });
    expect(names(found.rows)).toEqual(["1|high", "2|low", "3|low again", "4|null again"]);
    expect(found.dropped).toBe(2);
  });
});

describe("order_by", () => {
  const columns = { id: LONG, name: TEXT, at: LONG };

  it("holds deletes that have a value against the row, and takes those that have none", async () => {
    const found = await outcome({}, columns, [
      [
        ["insert", 1, "a", 10],
        ["insert", 2, "b", 10],
        ["insert", 3, "c", 10],
      ],
      [
        ["delete", 1, undefined, 9],
        ["delete", 2, undefined, 10],
        ["delete", 3, undefined, undefined],
      ],
      // The rows that are gone have left nothing behind.
      [["insert", 3, "d", 1]],
    ]);
    expect(found).toEqual({ rows: ["1|a|10", "3|d|1"], dropped: 1 });
  });

  it("with soft_delete remembers the value of the delete", async () => {
    const found = await outcome({ softDelete: "gone" }, columns, [
      [["insert", 1, "a", 10]],
      [["delete", 1, undefined, 20]],
      [["insert", 1, "late", 15]],
      [["delete", 1, undefined, 19]],
    ]);
    expect(found).toEqual({ rows: ["1|a|20|2"], dropped: 2 });
  });

  it("lets an update that does not send the column keep the row's value", async () => {
    const found = await outcome({}, columns, [
      [["insert", 1, "a", 10]],
      [["update", 1, "b", undefined]],
      [["update", 1, "late", 9]],
    ]);
    expect(found).toEqual({ rows: ["1|b|10"], dropped: 1 });
  });

  it("forgets all of it at a truncate", async () => {
    const found = await outcome({}, columns, [
      [["insert", 1, "a", 10]],
      [
        ["insert", 1, "b", 11],
        ["truncate", null, null, null],
        ["insert", 1, "c", 1],
        ["insert", 1, "late", 0],
      ],
    ]);
    expect(found).toEqual({ rows: ["1|c|1"], dropped: 1 });
  });

  it("names a column that the table lacks", async () => {
    await expect(outcome({ orderBy: "version" }, columns, [[["insert", 1, "a", 1]]])).rejects.toMatchObject({
      code: "ORDER_COLUMN",
      kind: "config",
    });
  });

  it("is judged anew when somebody else changes the row before the commit", async () => {
    const warehouse = memoryWarehouse("memory");
    const process = await Process.start(warehouse, [upsertRule("a", { orderBy: "value" })]);
    const wide = { id: LONG, part: TEXT, value: LONG };
    await process.checkpointOf([batchOf(process, wide, [["insert", 1, "x", 10]], 0)], 1);
    const { catalog } = warehouse;
    const commit = catalog.commit.bind(catalog);
    catalog.commit = async (changes, claim) => {
      catalog.commit = commit;
      await new ForeignWriter(warehouse, "a").replace([1n], [{ id: 1n, part: "f", value: 100n }]);
      return commit(changes, claim);
    };
    await process.checkpointOf([batchOf(process, wide, [["update", 1, "y", 50]], 1)], 2);
    expect(await tableRows(warehouse.io, catalog, { namespace: ["shop"], name: "a" })).toEqual(["1|f|100"]);
    expect(process.events.at(-1)).toMatchObject({ rows: 0, dropped: 1 });
  });
});

type Change = {
  readonly op: "insert" | "update" | "delete" | "truncate";
  readonly id: number;
  readonly at: number | null;
};

/** What the rows of a table are, change by change. Of what a truncate takes away in its own checkpoint nothing is counted. */
function expected(checkpoints: readonly (readonly Change[])[], soft: boolean): { rows: string[]; dropped: number } {
  const starts = new Set(checkpoints.map((_, index) => checkpoints.slice(0, index).flat().length));
  const changes = checkpoints.flat();
  const rows = new Map<number, { name: number; at: number | null; gone: number | null }>();
  let dropped = 0;
  let droppedBefore = 0;
  for (const [index, { op, id, at }] of changes.entries()) {
    if (starts.has(index)) droppedBefore = dropped;
    const row = rows.get(id);
    if (op === "truncate") {
      rows.clear();
      dropped = droppedBefore;
    } else if (op === "delete") {
      const late = at !== null && row !== undefined && row.at !== null && at < row.at;
      if (late || (soft && row === undefined)) dropped++;
      else if (soft && row !== undefined) rows.set(id, { ...row, at: at ?? row.at, gone: index + 1 });
      else rows.delete(id);
    } else if (row !== undefined && row.at !== null && (at === null || at < row.at)) {
      dropped++;
    } else {
      rows.set(id, { name: index, at, gone: null });
    }
  }
  const texts = [...rows].map(([id, { name, at, gone }]) => [id, name, at, ...(soft ? [gone] : [])].join("|"));
  return { rows: texts.map((text) => text.replaceAll("||", "|null|").replace(/\|$/, "|null")).sort(), dropped };
}

describe.each([
  [2, false, false],
  [3, false, true],
  [3, true, false],
  [2, true, true],
] as const)("a table of format version %i (soft deletes: %s, keys on disk: %s)", (formatVersion, soft, onDisk) => {
  it("is what the changes one after the other make of it, wherever checkpoints and processes end", async () => {
    const change = fc.record({
      op: fc.constantFrom("insert", "update", "update", "delete", ...(soft ? [] : (["truncate"] as const))),
      id: fc.integer({ min: 1, max: 4 }),
      at: fc.option(fc.integer({ min: 0, max: 5 }), { freq: 4 }),
    }) as fc.Arbitrary<Change>;
    const story = fc.array(fc.array(change, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(story, fc.boolean(), async (checkpoints, restarts) => {
        let index = 0;
        const rows = checkpoints.map((changes) =>
          changes.map(({ op, id, at }): Row => {
            const name = String(index++);
            return op === "truncate" ? [op, null, null, null] : [op, id, op === "delete" ? undefined : name, at];
          }),
        );
        const rule = { formatVersion, ...(soft ? { softDelete: "gone" } : {}) };
        const found = await outcome(rule, { id: LONG, name: TEXT, at: LONG }, rows, { onDisk, restarts });
        expect(found).toEqual(expected(checkpoints, soft));
      }),
      { numRuns: 20 },
    );
  });
});
