import { describe, expect, it } from "vitest";
import { DEAD_LETTER_COLUMNS } from "../../../src/core/dead-letter.ts";
import type { TableRule } from "../../../src/core/table-rule.ts";
import { debeziumJson } from "../../../src/formats/debezium-json/format.ts";
import type { JobSummary } from "../../../src/pipeline/job-run.ts";
import { runJob } from "../../../src/pipeline/run-job.ts";
import { memoryWarehouse, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { messageSource } from "../../support/message-source.ts";
import { plainJob } from "../../support/plain-job.ts";
import type { TestMessage } from "../../support/slab.ts";
import { tableRows } from "../../support/table-rows.ts";
import { virtualRuntime } from "../../support/virtual-runtime.ts";

type Topics = ReadonlyMap<string, readonly TestMessage[]>;

let seeds = 77_000;

function run(
  warehouse: Warehouse,
  topics: Topics,
  rules: readonly TableRule[],
  maxRows: number | null,
): Promise<JobSummary> {
  const runtime = virtualRuntime(++seeds);
  return runJob({
    ...plainJob(warehouse, 1_000),
    rules,
    deadLetter: { table: "shop.letters", maxRows: 1_000, maxShare: 1 },
    runtime,
    createSource: (router, notices, rejects) =>
      messageSource(topics, debeziumJson.createDecoder(router, notices, rejects), runtime.random, 12),
    end: { caughtUp: true, afterMs: null, maxRows },
  });
}

const rowsOf = (warehouse: Warehouse, name: string) =>
  tableRows(warehouse.io, warehouse.catalog, { namespace: ["shop"], name });

/** Offsets of the dead letters, by topic. */
async function letters(warehouse: Warehouse): Promise<string[]> {
  const names = Object.keys(DEAD_LETTER_COLUMNS);
  const cells = (await rowsOf(warehouse, "letters")).map((row) => row.split("|"));
  return cells.map((row) => `${row[names.indexOf("topic")]} ${row[names.indexOf("offset")]}`).sort();
}

/** Two topics of 18 messages, every seventh broken; those of `mixed` go to two tables. */
function mixedTopics(): Topics {
  const message = (topic: string, i: number): TestMessage => {
    if (i % 7 === 5) return { key: { id: i }, value: `{"op":"c",${i}` };
    const table = topic === "mixed" ? `t${i % 2}` : "t0";
    const value = { before: null, after: { id: i, topic }, source: { schema: "public", table }, op: "c" };
    return { key: { id: i }, value };
  };
  return new Map(
    ["mixed", "plain"].map((topic) => [topic, Array.from({ length: 18 }, (_, i) => message(topic, i))] as const),
  );
}

const append = (name: string): TableRule =>
  upsertRule(name, { from: `public.${name}`, to: `shop.${name}`, mode: "append", key: null });

describe.each(["memory", "object-store"] as const)("a number of rows to end at, on a catalog of kind %s", (kind) => {
  it.each([3, 10])("%i: each run takes just that many, and together they take all once", async (maxRows) => {
    const topics = mixedTopics();
    const rules = [append("t0"), append("t1")];
    const whole = memoryWarehouse(kind);
    const total = await run(whole, topics, rules, null);
    expect(total).toMatchObject({ reason: "caught-up", rows: 32, deadLetters: 4, records: 36 });
    const parts = memoryWarehouse(kind);
    const summaries: JobSummary[] = [];
    for (;;) {
      const summary = await run(parts, topics, rules, maxRows);
      summaries.push(summary);
      if (summary.reason === "caught-up") break;
      expect(summary).toMatchObject({ reason: "rows", rows: maxRows });
      const held = (await rowsOf(parts, "t0")).length + (await rowsOf(parts, "t1")).length;
      expect(held).toBe(summaries.length * maxRows);
    }
    for (const name of ["t0", "t1"]) expect(await rowsOf(parts, name)).toEqual(await rowsOf(whole, name));
    expect(await letters(parts)).toEqual(await letters(whole));
    const sum = (key: "rows" | "deadLetters" | "records") => summaries.reduce((all, each) => all + each[key], 0);
    expect([sum("rows"), sum("deadLetters"), sum("records")]).toEqual([32, 4, 36]);
  });

  it("the rows of one message stay together", async () => {
    const update = (id: number): TestMessage => ({
      key: { id },
      value: { before: { id, value: "old" }, after: { id, value: "new" }, op: "u" },
    });
    const topics = new Map([["a", [1, 2, 3].map(update)]]);
    const warehouse = memoryWarehouse(kind);
    const rules = [upsertRule("a", { mode: "history", key: null })];
    expect(await run(warehouse, topics, rules, 3)).toMatchObject({ reason: "rows", rows: 4 });
    expect(await rowsOf(warehouse, "a")).toHaveLength(4);
    expect(await run(warehouse, topics, rules, 3)).toMatchObject({ reason: "caught-up", rows: 2 });
    expect(await rowsOf(warehouse, "a")).toHaveLength(6);
  });
});
