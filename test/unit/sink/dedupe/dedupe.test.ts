import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PrimitiveType } from "../../../../table-format/index.ts";
import { NO_TIME } from "../../../../src/core/change-batch.ts";
import type { Dedupe, TableRule } from "../../../../src/core/table-rule.ts";
import { WindowBudget } from "../../../../src/sink/dedupe/window-budget.ts";
import { KeyWindow } from "../../../../src/sink/dedupe/key-window.ts";
import { memoryWarehouse, Process, storeGone, upsertRule, type Warehouse } from "../../../support/checkpoints.ts";
import { ForeignWriter } from "../../../support/foreign-writer.ts";
import { batchOf, type Row } from "../../../support/rows-batch.ts";
import { tableRows } from "../../../support/table-rows.ts";

const TEXT: PrimitiveType = { kind: "string" };
const LONG: PrimitiveType = { kind: "long" };
const COLUMNS = { event: TEXT, n: LONG };
const HOUR = 3_600_000;

/** A row: its key, its minute (null: no time), and which it is. */
type Event = readonly [event: string | null, minute: number | null, n: number];

class Story {
  readonly warehouse: Warehouse = memoryWarehouse("memory");
  readonly rules: TableRule[];
  process: Process | null = null;
  point = 0;

  constructor(dedupe: Dedupe = { key: ["event"], windowMs: HOUR }, given: Partial<TableRule> = {}) {
    this.rules = [upsertRule("a", { mode: "append", key: null, dedupe, ...given })];
  }

  async commit(events: readonly Event[], columns: Record<string, PrimitiveType> = COLUMNS) {
    this.process ??= await Process.start(this.warehouse, this.rules);
    const batch = this.batch(this.process, events, columns);
    this.point += events.length;
    await this.process.checkpointOf([batch], this.point);
    return this.process.events.at(-1);
  }

  batch(process: Process, events: readonly Event[], columns: Record<string, PrimitiveType> = COLUMNS) {
    const rows = events.map(([event, , n]): Row => ["insert", event, n]);
    const timesUs = events.map(([, minute]) => (minute === null ? NO_TIME : BigInt(minute) * 60_000_000n));
    return batchOf(process, columns, rows, this.point, { timesUs });
  }

  /** Numbers of the rows. */
  async numbers(): Promise<number[]> {
    const rows = await tableRows(this.warehouse.io, this.warehouse.catalog, { namespace: ["shop"], name: "a" });
    return rows.map((row) => Number(row.split("|")[1])).sort((x, y) => x - y);
  }
}

describe.each([
  [2, "in one process"],
  [3, "in a process for each checkpoint"],
] as const)("dedupe in a table of format version %i, %s", (formatVersion, processes) => {
  const start = () => new Story(undefined, { formatVersion });
  const next = (story: Story) => {
    if (processes !== "in one process") story.process = null;
  };

  it("drops copies within the window, in a checkpoint and after it", async () => {
    const story = start();
    expect(
      await story.commit([
        ["a", 0, 1],
        ["a", 10, 2],
        ["b", 20, 3],
      ]),
    ).toMatchObject({ rows: 2, inserts: 2, dropped: 1 });
    next(story);
    expect(
      await story.commit([
        ["b", 25, 4],
        ["a", 59, 5],
        ["c", 30, 6],
      ]),
    ).toMatchObject({ rows: 1, dropped: 2 });
    next(story);
    // An hour after it was written, a is new; what was dropped meanwhile does not prolong anything.
    await story.commit([["a", 60, 7]]);
    next(story);
    await story.commit([
      ["a", 61, 8],
      ["b", 79, 9],
      ["b", 80, 10],
    ]);
    expect(await story.numbers()).toEqual([1, 3, 6, 7, 10]);
  });

  it("finds a copy that comes out of order, and lets rows go that came too late for the window", async () => {
    const story = start();
    await story.commit([["a", 100, 1]]);
    next(story);
    await story.commit([
      ["a", 50, 2],
      ["b", 30, 3],
    ]);
    next(story);
    // Farther behind the newest row than the window: what was written then is no longer known.
    await story.commit([["b", 30, 4]]);
    expect(await story.numbers()).toEqual([1, 3, 4]);
  });

  it("keeps rows without a key or a time", async () => {
    const story = start();
    await story.commit([
      [null, 1, 1],
      [null, 1, 2],
      ["a", null, 3],
    ]);
    next(story);
    await story.commit([
      ["a", null, 4],
      ["a", 1, 5],
      [null, 1, 6],
    ]);
    expect(await story.numbers()).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("commits the position of a checkpoint that holds copies alone", async () => {
    const story = start();
    await story.commit([["a", 0, 1]]);
    next(story);
    expect(await story.commit([["a", 1, 2]])).toMatchObject({ rows: 0, files: 0, dropped: 1 });
    story.process = await Process.start(story.warehouse, story.rules);
    expect(story.process.reached).toEqual(new Map([["t/0", "2"]]));
  });
});

describe("dedupe", () => {
  it("begins with a table that was there before it, and with columns as they are", async () => {
    const story = new Story(undefined, { schemaChanges: "ignore" });
    const { dedupe, ...without } = story.rules[0] as TableRule;
    story.rules[0] = without;
    await story.commit([["a", 0, 1]]);
    story.process = null;
    story.rules[0] = { ...without, dedupe };
    await story.commit([
      ["a", 0, 2],
      ["a", 0, 3],
    ]);
    expect(await story.numbers()).toEqual([1, 2]);
  });

  it("finds keys again whose type has become wider", async () => {
    const story = new Story({ key: ["event", "n"], windowMs: HOUR });
    const event = (n: number): Event => ["a", 0, n];
    await story.commit([event(1)], { event: TEXT, n: { kind: "int" } });
    expect(await story.commit([event(1), event(2)], COLUMNS)).toMatchObject({ rows: 1, dropped: 1 });
  });

  it("tries a checkpoint again without taking its own rows for copies", async () => {
    const story = new Story();
    await story.commit([["a", 0, 1]]);
    let left = 2;
    story.warehouse.fault = (_, location) => {
      if (location.includes("/data/") && left-- > 0) throw storeGone();
    };
    expect(await story.commit([["b", 1, 2]])).toMatchObject({ rows: 1, dropped: 0 });
    expect(left).toBeLessThan(1);
    expect(await story.numbers()).toEqual([1, 2]);
  });

  it("knows rows that somebody else has added, also while a checkpoint was on its way", async () => {
    const story = new Story({ key: ["id"], windowMs: HOUR });
    const columns = { part: TEXT, id: LONG };
    const foreign = new ForeignWriter(story.warehouse, "a");
    const append = (id: bigint) => foreign.append([{ id, part: "f", value: null, timeUs: 60_000_000n }]);
    await story.commit([["x", 0, 1]], columns);
    await append(5n);
    const { catalog } = story.warehouse;
    const send = catalog.commit.bind(catalog);
    catalog.commit = async (...given) => {
      catalog.commit = send;
      await append(6n);
      return send(...given);
    };
    const rows = (ids: number[]) => ids.map((id): Event => ["x", 2, id]);
    await story.commit(rows([2]), columns);
    expect(await story.commit(rows([2, 5, 6, 7]), columns)).toMatchObject({ rows: 1, dropped: 3 });
    expect(await story.numbers()).toEqual([1, 2, 5, 6, 7]);
  });

  it("refuses a key that the table lacks", async () => {
    const story = new Story({ key: ["nope"], windowMs: HOUR });
    await expect(story.commit([["a", 0, 1]])).rejects.toMatchObject({ code: "KEY_COLUMN" });
  });

  it("is what the rows one after the other make of it, wherever checkpoints and processes end", async () => {
    const event = fc.tuple(fc.constantFrom("a", "b", "c"), fc.integer({ min: 0, max: 300 }));
    const checkpoints = fc.array(fc.array(event, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(checkpoints, fc.boolean(), async (lists, restarts) => {
        const story = new Story();
        const written: [string, number][] = [];
        const expected: number[] = [];
        let n = 0;
        for (const list of lists) {
          const events = list.map(([name, minute]): Event => [name, minute, n++]);
          for (const [name, minute, number] of events as [string, number, number][]) {
            const newest = Math.max(minute, ...written.map(([, time]) => time));
            const copy = written.some(
              ([known, time]) => known === name && time > newest - 60 && Math.abs(time - minute) < 60,
            );
            if (copy) continue;
            written.push([name, minute]);
            expected.push(number);
          }
          if (restarts) story.process = null;
          await story.commit(events);
        }
        expect(await story.numbers()).toEqual(expected);
      }),
      { numRuns: 30 },
    );
  });
});

it("ends the job when the keys of the window take too much memory", async () => {
  const story = new Story();
  const folder = mkdtempSync(join(tmpdir(), "frazil-dedupe-"));
  story.process = await Process.start(story.warehouse, story.rules, undefined, { folder, limitBytes: 50_000 });
  rmSync(folder, { recursive: true });
  const events = Array.from({ length: 2_000 }, (_, n): Event => [`e${n}`, 1, n]);
  await expect(story.commit(events)).rejects.toMatchObject({ code: "DEDUPE_MEMORY", kind: "config" });
});

it("ends the job when the keys of several tables' windows together do", async () => {
  const budget = new WindowBudget(100_000);
  const [a, b] = [{}, {}];
  budget.take(a, "shop.a", 60_000);
  budget.take(b, "shop.b", 40_000);
  budget.take(a, "shop.a", 50_000);
  expect(() => budget.take(b, "shop.b", 50_001)).toThrow(/shop\.b.*windows/);
});

describe("the keys of a window", () => {
  const key = (n: number) => Uint32Array.of(n, 0, 0, 0);

  it("are forgotten with it, so that memory follows the window and not the stream", () => {
    const window = new KeyWindow(1_000);
    let largest = 0;
    for (let n = 0; n < 200_000; n++) {
      window.add(key(n), 0, 1_700_000_000_000 + n);
      largest = Math.max(largest, window.sizeBytes);
    }
    expect(largest).toBeLessThan(500_000);
    const newestMs = window.newestMs;
    expect([window.has(key(199_500), 0, newestMs, newestMs), window.has(key(198_000), 0, newestMs, newestMs)]).toEqual([
      true,
      false,
    ]);
  });
});
