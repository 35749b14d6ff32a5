import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Source } from "../../../src/core/source.ts";
import {
  type ComparedTable,
  type Comparison,
  compareWithSource,
  reasonAgainst,
} from "../../../src/pipeline/compare-source.ts";
import { RuleRouter } from "../../../src/sink/layout/router.ts";
import { change, memoryWarehouse, Process, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { ForeignWriter } from "../../support/foreign-writer.ts";
import { batches, type ScriptedChange } from "../../support/script-source.ts";

const RULES = [upsertRule("a"), upsertRule("b")];
const compare = (a: string, b: string): number => Number(a) - Number(b);

/** The log as a source of one split, a change a pull. */
function sourceOf(log: readonly ScriptedChange[], router: RuleRouter): Source {
  return {
    open: async () => {},
    startPosition: async () => new Map([["t/0", "0"]]),
    endPosition: async () => new Map([["t/0", String(log.length)]]),
    async *read() {
      for (const [index, one] of log.entries()) {
        yield {
          changes: batches("t/0", [one], index, router),
          ends: new Map([["t/0", String(index + 1)]]),
          records: 1,
        };
      }
    },
    comparePoints: compare,
    acknowledge: async () => {},
    close: async () => {},
  };
}

async function compared(
  warehouse: Warehouse,
  log: readonly ScriptedChange[],
  keysHeld?: number,
): Promise<Comparison[]> {
  const tables: ComparedTable[] = [];
  const reached = (await Process.start(warehouse, RULES)).committer.tables;
  for (const rule of RULES) {
    const table = reached.get(rule.to);
    if (table !== undefined) tables.push({ name: rule.to, loaded: table.loaded, rule, position: table.position });
  }
  return compareWithSource(
    warehouse.io,
    tables,
    (run) => {
      const router = new RuleRouter(RULES, new Map());
      return run(sourceOf(log, router), router);
    },
    keysHeld,
  );
}

/** The numbers of the ranges that differ, by table. */
const differing = (comparisons: readonly Comparison[]) =>
  comparisons.map(({ source, found }) =>
    source.flatMap((range, index) => {
      const there = found[index];
      return there?.count === range.count && there.hash === range.hash ? [] : [index];
    }),
  );

const a = (text: string) => change("a", text);

describe("a source against its tables", () => {
  it("agrees with what a job made of it, whatever is read in how many passes, and up to where the tables are", async () => {
    const op = fc.constantFrom("+", "~", "-");
    const one = fc.record({ stream: fc.constantFrom("a", "b"), op, id: fc.integer({ min: -5, max: 300 }) });
    const run = async (ops: readonly (typeof one extends fc.Arbitrary<infer T> ? T : never)[], later: number) => {
      const log = ops.map(({ stream, op: sign, id }) => change(stream, `${sign}${id}${sign === "-" ? "" : ":x:1"}`));
      const warehouse = memoryWarehouse("object-store");
      const process = await Process.start(warehouse, RULES);
      await process.checkpoint(log.slice(0, Math.max(1, log.length - later)));
      for (const keysHeld of [undefined, 5]) {
        const comparisons = await compared(warehouse, log, keysHeld);
        expect(differing(comparisons).flat()).toEqual([]);
      }
    };
    const property = fc.asyncProperty(
      fc.array(one, { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 0, max: 5 }),
      run,
    );
    await fc.assert(property, { numRuns: 30, seed: 3 });
  });

  it("differs where a row is missing, too many, or another one", async () => {
    const log = [a("+1:x:1"), a("+2:x:2"), a("+3:x:3"), change("b", "+1:x:1")];
    const made = async (meddle: (foreign: ForeignWriter) => Promise<void>) => {
      const warehouse = memoryWarehouse("memory");
      await (await Process.start(warehouse, RULES)).checkpoint(log);
      await meddle(new ForeignWriter(warehouse, "a"));
      return differing(await compared(warehouse, log)).map(({ length }) => length);
    };
    expect(await made(async () => {})).toEqual([0, 0]);
    expect(await made((foreign) => foreign.replace([2n], []))).toEqual([1, 0]);
    expect(await made((foreign) => foreign.append([{ id: 2n, part: "x", value: 9n }]))).toEqual([1, 0]);
    expect((await made((foreign) => foreign.replace([2n], [{ id: 77n, part: "x", value: 2n }])))[0]).toBeGreaterThan(0);
  });

  it("says why a table cannot be compared", async () => {
    const warehouse = memoryWarehouse("memory");
    await (await Process.start(warehouse, RULES)).checkpoint([a("+1:x:1")]);
    const loaded = (await warehouse.catalog.loadTable({ namespace: ["shop"], name: "a" }))!;
    const reason = (given: Parameters<typeof upsertRule>[1]) => reasonAgainst({ loaded, rule: upsertRule("a", given) });
    expect(reason({})).toBeNull();
    expect(reason({ mode: "history" })).toMatch(/history/);
    expect(reason({ softDelete: "gone" })).toMatch(/soft_delete/);
    expect(reason({ orderBy: "at" })).toMatch(/order_by/);
  });
});
