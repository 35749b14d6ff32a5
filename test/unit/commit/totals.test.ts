import { describe, expect, it } from "vitest";
import { readPipelineTag } from "../../../src/commit/tracked-table.ts";
import { parseTotals, sumTotals, totalsText } from "../../../src/commit/totals.ts";
import { change, memoryWarehouse, Process, storeGone, upsertRule, type Warehouse } from "../../support/checkpoints.ts";

const changes = (stream: string, ...texts: string[]) => texts.map((text) => change(stream, text));

async function totalsOf(warehouse: Warehouse, name: string) {
  const loaded = await warehouse.catalog.loadTable({ namespace: ["shop"], name });
  return loaded === null ? undefined : readPipelineTag(loaded, "test")?.stamp.totals;
}

describe.each(["memory", "object-store"] as const)("the totals of a pipeline's tables (%s)", (kind) => {
  it("are carried on by each commit, over restarts, and count each change once", async () => {
    const warehouse = memoryWarehouse(kind);
    const rules = [upsertRule("a"), upsertRule("b")];
    const first = await Process.start(warehouse, rules);
    await first.checkpoint(changes("a", "+1:x:1", "+2:x:2", "+3:x:3"));
    await first.checkpoint([...changes("a", "~1:x:9", "-2"), ...changes("b", "+1:y:1")]);
    const second = await Process.start(warehouse, rules);
    await second.checkpoint(changes("a", "+4:x:4", "-9"));
    expect(await totalsOf(warehouse, "a")).toMatchObject({ rows: 5, inserts: 4, updates: 1, deletes: 1, commits: 3 });
    // Where tables go together the anchor counts the commit; elsewhere each table's commit is one.
    const commits = kind === "memory" ? 0 : 1;
    expect(await totalsOf(warehouse, "b")).toMatchObject({
      rows: 1,
      inserts: 1,
      updates: 0,
      deletes: 0,
      files: 1,
      commits,
    });
  });

  it("tell of attempts that got no answer", async () => {
    const warehouse = memoryWarehouse(kind);
    const process = await Process.start(warehouse, [upsertRule("a")]);
    await process.checkpoint(changes("a", "+1:x:1"));
    let left = 2;
    warehouse.fault = (_, location) => {
      if (location.includes("snap-") && left-- > 0) throw storeGone();
    };
    await process.checkpoint(changes("a", "+2:x:2"));
    expect(left).toBeLessThan(1);
    expect(await totalsOf(warehouse, "a")).toMatchObject({ rows: 2, commits: 2, conflicts: 0, retries: 2 });
  });
});

it("are read back as they were written, and nothing else is taken for them", () => {
  const totals = sumTotals([
    { rows: 3, bytes: 2 ** 40 },
    { rows: 1, conflicts: 2 },
  ]);
  expect(totals).toMatchObject({ rows: 4, bytes: 2 ** 40, conflicts: 2, commits: 0 });
  expect(parseTotals(totalsText(totals))).toEqual(totals);
  // As it was written before changes could be dropped.
  const { dropped: _none, ...before } = totals;
  expect(parseTotals(JSON.stringify(before))).toEqual(totals);
  for (const text of ["null", "{", "[]", '{"rows":1}', totalsText({ ...totals, rows: 0.5 })]) {
    expect(parseTotals(text)).toBe(null);
  }
});
