import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import type { Clock } from "../../../../src/core/runtime.ts";
import { advance, type Position } from "../../../../src/core/position.ts";
import type { Source, SourceBatch } from "../../../../src/core/source.ts";
import type { TableBinding, TableRouter } from "../../../../src/core/table-binding.ts";
import { type GeneratorSettings, generatorSchema } from "../../../../src/sources/generator/config.ts";
import {
  expectedTables,
  nextPlainChanges,
  type PlainRow,
  shopChangelog,
} from "../../../../src/sources/generator/expected.ts";
import { createGeneratorSource } from "../../../../src/sources/generator/source.ts";
import { ShopWalk } from "../../../../src/sources/generator/shop-walk.ts";
import { parsePrimitiveType } from "../../../../table-format/index.ts";
import { plainChanges } from "./plain.ts";

const tables = ["shop.customers", "shop.orders", "shop.order_events"];
const keyOf: Record<string, readonly string[]> = {
  "shop.customers": ["region", "id"],
  "shop.orders": ["id"],
  "shop.order_events": ["event_id"],
};

function routerOf(names: readonly string[], columns: TableBinding["columns"] = new Map()): TableRouter {
  const route = (stream: string): TableBinding | null =>
    names.includes(stream)
      ? {
          table: tables.indexOf(stream),
          target: stream,
          mode: stream === "shop.order_events" ? "append" : "upsert",
          key: null,
          columns,
          existing: new Map(),
        }
      : null;
  return { route, byStream: route };
}

/** Time passes only while somebody sleeps. */
function virtualClock(): Clock & { passedMs: number } {
  return {
    passedMs: 0,
    nowMs() {
      return this.passedMs;
    },
    monotonicMs() {
      return this.passedMs;
    },
    async sleep(durationMs) {
      this.passedMs += durationMs;
    },
  };
}

const settings: GeneratorSettings = { type: "generator", seed: 7, events: 20_000, rate: null, splits: 3 };

async function opened(some: Partial<GeneratorSettings> = {}, clock = virtualClock()): Promise<Source> {
  const source = createGeneratorSource({ ...settings, ...some }, { router: routerOf(tables), runtime: { clock } });
  await source.open();
  return source;
}

/** Every pull from a point to the end. */
async function readAll(source: Source, from: Position): Promise<SourceBatch[]> {
  const batches: SourceBatch[] = [];
  const stop = new AbortController();
  for await (const batch of source.read(from, stop.signal)) {
    if (batch.records === 0) stop.abort();
    else batches.push(batch);
  }
  return batches;
}

/** Each split's changes in its order, as text. */
function bySplit(batches: readonly SourceBatch[]): Map<string, string[]> {
  const rows = new Map<string, { point: number; text: string }[]>();
  for (const batch of batches.flatMap(({ changes }) => changes)) {
    const list = rows.getOrInsert?.(batch.split, []) ?? rows.get(batch.split) ?? [];
    rows.set(batch.split, list);
    for (const { point, ...change } of plainChanges(batch, tables)) {
      list.push({ point: Number(point), text: textOf({ point, ...change }) });
    }
  }
  // Tables come in batches of their own; within one event the order of the rows is kept by the stable sort.
  return new Map(
    [...rows].map(([split, list]) => [split, list.sort((a, b) => a.point - b.point).map(({ text }) => text)]),
  );
}

function textOf(value: unknown): string {
  return JSON.stringify(value, (_, found: unknown) =>
    typeof found === "bigint" ? `${found}n` : Object.is(found, -0) ? "-0" : found,
  );
}

test("the rows in columns are the plain changes, value by value", async () => {
  const emitted = bySplit(await readAll(await opened(), new Map()));
  for (let split = 0; split < settings.splits; split++) {
    const walk = new ShopWalk(settings.seed, split, settings.splits);
    const told: string[] = [];
    while (walk.sequence < settings.events) {
      for (const change of nextPlainChanges(settings.seed, walk))
        told.push(textOf({ point: String(walk.point), ...change }));
    }
    expect(emitted.get(`generator/${split}`)).toEqual(told);
  }
});

test("the expected tables are the fold of what was emitted, at the end and on the way", async () => {
  const batches = await readAll(await opened(), new Map());
  const held = new Map<string, Map<string, PlainRow>>(tables.map((name) => [name, new Map()]));
  let position: Position = new Map();
  for (const [index, batch] of batches.entries()) {
    for (const changes of batch.changes) {
      for (const { table, op, row } of plainChanges(changes, tables)) {
        const key = (keyOf[table] ?? []).map((column) => String(row[column])).join("\u0000");
        if (op === "delete") held.get(table)?.delete(key);
        else held.get(table)?.set(key, row);
      }
    }
    position = advance(position, batch.ends);
    if (index % 2 === 1 && index < batches.length - 1) continue;
    const expected = expectedTables(settings, position);
    for (const name of tables) {
      const found = [...(held.get(name)?.values() ?? [])].map(textOf).sort();
      expect(found, `${name} after pull ${index}`).toEqual((expected.get(name) ?? []).map(textOf).sort());
    }
  }
  expect(expectedTables(settings, position)).toEqual(expectedTables(settings));
});

test("from every point on, the rest is the same", async () => {
  const small = { events: 240, splits: 2 };
  const source = await opened(small);
  const whole = bySplit(await readAll(source, new Map()));
  const end = await source.endPosition();
  expect(end).toEqual(
    new Map([
      ["generator/0", "120"],
      ["generator/1", "120"],
    ]),
  );
  for (let point = 0; point <= 120; point++) {
    const from = new Map([
      ["generator/0", String(point)],
      ["generator/1", "60"],
    ]);
    const rest = bySplit(await readAll(await opened(small), from));
    for (const [split, rows] of whole) {
      const start = Number(from.get(split));
      const later = rows.filter((text) => Number((JSON.parse(text) as { point: string }).point) > start);
      expect(rest.get(split) ?? []).toEqual(later);
    }
  }
});

test("equal seeds tell equal stories, other seeds others", async () => {
  const first = bySplit(await readAll(await opened({ events: 500 }), new Map()));
  expect(bySplit(await readAll(await opened({ events: 500 }), new Map()))).toEqual(first);
  expect(bySplit(await readAll(await opened({ events: 500, seed: 8 }), new Map()))).not.toEqual(first);
});

test("the changelog of all splits is theirs, event by event in turn", () => {
  const walks = [0, 1, 2].map((split) => new ShopWalk(settings.seed, split, 3));
  let sequence = 0;
  for (const event of shopChangelog({ ...settings, events: 2000 })) {
    expect(textOf(event)).toBe(textOf(nextPlainChanges(settings.seed, walks[sequence % 3] as ShopWalk)));
    sequence++;
  }
  expect(sequence).toBe(2000);
});

test("the story never changes: a job must find the same one after an upgrade", () => {
  const hash = createHash("sha256");
  for (const event of shopChangelog({ seed: 1, events: 5000, splits: 2 })) hash.update(textOf(event));
  expect(hash.digest("hex")).toBe("c905ceb76978f3c4f1a0a8d66d5fc9fafb0892a1797e7b3604ae2095d2d8791c");
});

test("the story has what it must have", async () => {
  const seen = new Map<string, number>();
  const count = (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1);
  const held = new Set<string>();
  const walk = new ShopWalk(1, 0, 1);
  while (walk.point < 60_000) {
    const changes = nextPlainChanges(1, walk);
    if (changes.length === 2) count(`${changes[0]?.table} key change`);
    for (const { table, op, row } of changes) {
      const key = `${table} ${(keyOf[table] ?? []).map((column) => String(row[column])).join("|")}`;
      count(`${table} ${op}${op === "delete" && !held.has(key) ? " of an unknown key" : ""}`);
      // Inserts never meet a living key, updates always do.
      if (op !== "delete") expect(held.has(key)).toBe(op === "update");
      if (op === "delete") held.delete(key);
      else held.add(key);
      if (op !== "delete" && table === "shop.orders") {
        for (const [column, value] of Object.entries(row)) if (value === null) count(`null ${column}`);
        if (Object.is(row["weight"], -0)) count("-0");
        if (row["weight"] === 1e308) count("1e308");
        if (row["total"] === "-9999999999999999.99") count("decimal(18,2)");
        if (row["exact"] === `-${"9".repeat(28)}.${"9".repeat(10)}`) count("decimal(38,10)");
        if (row["trace_id"] === -(2n ** 63n)) count("least int64");
        if (row["note"] === "") count("empty text");
        if (row["payload"] === "") count("empty bytes");
        if ((row["id"] as bigint) <= 2n ** 53n) throw new Error("an id that a double holds");
      }
    }
  }
  for (const what of [
    "shop.customers insert",
    "shop.customers update",
    "shop.customers delete",
    "shop.customers key change",
    "shop.customers delete of an unknown key",
    "shop.orders insert",
    "shop.orders update",
    "shop.orders delete",
    "shop.orders key change",
    "shop.orders delete of an unknown key",
    "shop.order_events insert",
    "null total",
    "null exact",
    "null weight",
    "null gift",
    "null note",
    "null placed_at",
    "null payload",
    "-0",
    "1e308",
    "decimal(18,2)",
    "decimal(38,10)",
    "least int64",
    "empty text",
    "empty bytes",
  ]) {
    expect(seen.get(what) ?? 0, what).toBeGreaterThan(0);
  }
});

test("tables without a binding are left out and do not change the rest", async () => {
  const some = createGeneratorSource(settings, {
    router: routerOf(["shop.orders"]),
    runtime: { clock: virtualClock() },
  });
  await some.open();
  const orders = bySplit(await readAll(some, new Map()));
  const all = bySplit(await readAll(await opened(), new Map()));
  for (const [split, rows] of all) {
    expect(orders.get(split)).toEqual(rows.filter((text) => text.includes('"table":"shop.orders"')));
  }
});

test("a rate is kept, and the end is waited on with empty pulls", async () => {
  const clock = virtualClock();
  const source = await opened({ rate: 1000, events: 3000 }, clock);
  const stop = new AbortController();
  let records = 0;
  let pulls = 0;
  for await (const batch of source.read(new Map(), stop.signal)) {
    records += batch.records;
    expect(records).toBeLessThanOrEqual(clock.passedMs);
    pulls++;
    if (batch.records === 0) stop.abort();
  }
  expect(records).toBe(3000);
  expect(clock.passedMs).toBeGreaterThanOrEqual(3000);
  expect(clock.passedMs).toBeLessThan(3000 + 1000);
  expect(pulls).toBeLessThan(70);
});

test("a job that takes nothing of the shop, or other types, is refused with the names there are", async () => {
  const runtime = { clock: virtualClock() };
  const nothing = createGeneratorSource(settings, { router: routerOf([]), runtime });
  await expect(nothing.open()).rejects.toMatchObject({ kind: "config", hint: expect.stringContaining("shop.orders") });
  const retyped = createGeneratorSource(settings, {
    router: routerOf(["shop.orders"], new Map([["total", parsePrimitiveType("double")]])),
    runtime,
  });
  await expect(retyped.open()).rejects.toMatchObject({ code: "GENERATOR_COLUMN" });
  const same = createGeneratorSource(settings, {
    router: routerOf(["shop.orders"], new Map([["total", parsePrimitiveType("decimal(18,2)")]])),
    runtime,
  });
  await same.open();
});

test("a position that is no number of events is refused; points are ordered as numbers", async () => {
  const source = await opened();
  const reading = source.read(new Map([["generator/0", "x"]]), new AbortController().signal);
  await expect(reading[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "BAD_POSITION" });
  expect(source.comparePoints("9", "10")).toBeLessThan(0);
});

test("settings have defaults and bounds", () => {
  expect(generatorSchema.parse({ type: "generator" })).toEqual({
    type: "generator",
    seed: 1,
    events: 1_000_000,
    rate: null,
    splits: 2,
  });
  expect(generatorSchema.safeParse({ type: "generator", splits: 0 }).success).toBe(false);
  expect(generatorSchema.safeParse({ type: "generator", sed: 1 }).success).toBe(false);
});
