import { describe, expect, it } from "vitest";
import type { JobRun, JobSummary } from "../../../src/pipeline/job-run.ts";
import { planReplay, replayedUpTo } from "../../../src/pipeline/plan-replay.ts";
import { runJob } from "../../../src/pipeline/run-job.ts";
import { debeziumJson } from "../../../src/formats/debezium-json/format.ts";
import { readLetters } from "../../../src/sources/dead-letters/letters.ts";
import { createLetterSource } from "../../../src/sources/dead-letters/source.ts";
import type { TableRule } from "../../../src/core/table-rule.ts";
import { memoryWarehouse, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { messageSource } from "../../support/message-source.ts";
import { plainJob } from "../../support/plain-job.ts";
import type { TestMessage } from "../../support/slab.ts";
import { tableRows } from "../../support/table-rows.ts";
import { seededRandom, virtualRuntime } from "../../support/virtual-runtime.ts";

class Crash extends Error {}

const LETTERS = { namespace: ["shop"], name: "dead_letters" };
const NARROW = rules("int");
const WIDE = rules("long");

function rules(kind: "int" | "long"): TableRule[] {
  const columns = new Map([["n", { kind }] as const]);
  return [upsertRule("a", { columns }), upsertRule("log", { mode: "append", key: null, columns })];
}

let runs = 50_000;

function run(
  warehouse: Warehouse,
  tables: readonly TableRule[],
  createSource: (random: { uint32(): number }) => JobRun["createSource"],
  crashAfter: number | null = null,
): Promise<JobSummary> {
  const runtime = virtualRuntime(++runs);
  let left = crashAfter;
  runtime.onStep = (name) => {
    if (left !== null && left-- <= 0) throw new Crash(`at ${name}`);
  };
  return runJob({
    ...plainJob(warehouse, 5),
    rules: tables,
    deadLetter: { table: "shop.dead_letters", maxRows: 1_000, maxShare: 1 },
    runtime,
    createSource: createSource(runtime.random),
  });
}

const fromTopics =
  (topics: ReadonlyMap<string, readonly TestMessage[]>) =>
  (random: { uint32(): number }): JobRun["createSource"] =>
  (router, notices, rejects) =>
    messageSource(topics, debeziumJson.createDecoder(router, notices, rejects), random);

const fromLetters =
  ({ io, catalog }: Warehouse) =>
  (): JobRun["createSource"] =>
  (router, notices, rejects) =>
    createLetterSource({
      io,
      catalog,
      decoder: debeziumJson.createDecoder(router, notices, rejects),
      table: LETTERS,
      pipeline: "test",
    });

const row = (id: number, n: number | string, op = "c"): TestMessage => ({
  key: { id },
  value: { before: null, after: { id, n }, op },
  headers: [["h", Uint8Array.of(0xff)]],
});

const rowsOf = (warehouse: Warehouse, name: string) =>
  tableRows(warehouse.io, warehouse.catalog, { namespace: ["shop"], name });

async function openLetters(warehouse: Warehouse): Promise<string[]> {
  const table = await warehouse.catalog.loadTable(LETTERS);
  if (table === null) return [];
  const next = await replayedUpTo({ ...warehouse, pipeline: "test", warehouseLocation: "mem://w" });
  const open: string[] = [];
  for await (const group of readLetters(warehouse.io, table, "test", ["letter", "pipeline", "topic", "offset"])) {
    for (const each of group) if (each.letter >= next) open.push(`${each.letter} ${each.topic} ${each.offset}`);
  }
  return open;
}

describe.each(["memory", "object-store"] as const)("a replay on a catalog of kind %s", (kind) => {
  it("applies what decodes now, once, and keeps the rest as new letters", async () => {
    const warehouse = memoryWarehouse(kind);
    const topics = new Map([
      ["a", [row(1, 1), row(2, 3_000_000_000), row(3, "no")]],
      ["log", [row(7, 4_000_000_000), row(8, 8)]],
    ]);
    await run(warehouse, NARROW, fromTopics(topics));
    expect(await rowsOf(warehouse, "a")).toEqual(["1|1"]);
    expect((await openLetters(warehouse)).map((text) => text.slice(2)).sort()).toEqual(["a 1", "a 2", "log 0"]);

    const place = { ...warehouse, pipeline: "test", warehouseLocation: "mem://w" };
    const plan = await planReplay(
      { rules: WIDE, catalog: warehouse.catalog, createSource: fromLetters(warehouse)() },
      await replayedUpTo(place),
    );
    expect(plan.letters).toBe(3);
    expect([...plan.rejected]).toEqual([["VALUE_MISMATCH", 1]]);
    expect(plan.tables.toSorted((x, y) => (x.target < y.target ? -1 : 1))).toEqual([
      { target: "shop.a", mode: "upsert", changes: 1 },
      { target: "shop.log", mode: "append", changes: 1 },
    ]);
    expect(await rowsOf(warehouse, "a"), "a plan changes nothing").toEqual(["1|1"]);

    for (let again = 0; again < 2; again++) {
      await run(warehouse, WIDE, fromLetters(warehouse));
      expect(await rowsOf(warehouse, "a")).toEqual(["1|1", "2|3000000000"]);
      expect(await rowsOf(warehouse, "log")).toEqual(["7|4000000000", "8|8"]);
      expect(await openLetters(warehouse), "the same message as a new letter").toEqual([`${4 + again} a 2`]);
    }
    // The source goes on where it was.
    const more = new Map([...topics, ["a", [...(topics.get("a") ?? []), row(4, 4)]]]);
    expect(await run(warehouse, WIDE, fromTopics(more))).toMatchObject({ records: 1 });
    expect(await rowsOf(warehouse, "a")).toEqual(["1|1", "2|3000000000", "4|4"]);
    expect(await openLetters(warehouse)).toEqual(["5 a 2"]);
  });

  it("applies each letter once over crashes, between runs of the job", { timeout: 60_000 }, async () => {
    for (let seed = 0; seed < 12; seed++) {
      const random = seededRandom(seed);
      const warehouse = memoryWarehouse(kind);
      const log = Array.from({ length: 40 }, (_, id) => row(id, random.uint32() % 2 === 0 ? id : 5_000_000_000 + id));
      const topics = new Map([
        ["log", log],
        ["a", Array.from({ length: 20 }, (_, id) => row(id, random.uint32() % 2 === 0 ? id : 5_000_000_000 + id))],
      ]);
      await run(warehouse, NARROW, fromTopics(topics));
      for (let attempt = 0; ; attempt++) {
        try {
          await run(warehouse, WIDE, fromLetters(warehouse), attempt < 8 ? random.uint32() % 25 : null);
          break;
        } catch (error) {
          if (!(error instanceof Crash)) throw new Error(`seed ${seed}`, { cause: error });
          // The job may be started in between.
          if (random.uint32() % 2 === 0) await run(warehouse, WIDE, fromTopics(topics));
        }
      }
      for (const [name, messages] of topics) {
        const rows = messages.map(({ value }) => (value as { after: { id: number; n: number } }).after);
        expect(await rowsOf(warehouse, name), `seed ${seed}`).toEqual(rows.map(({ id, n }) => `${id}|${n}`).sort());
      }
      expect(await openLetters(warehouse)).toEqual([]);
    }
  });
});
