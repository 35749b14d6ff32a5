import { describe, expect, it } from "vitest";
import { readStamp } from "../../../src/commit/stamp.ts";
import { runJob } from "../../../src/pipeline/run-job.ts";
import { ValidThrough, type ValidThroughStart } from "../../../src/pipeline/valid-through.ts";
import { change, memoryWarehouse, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { plainJob } from "../../support/plain-job.ts";
import { batches } from "../../support/script-source.ts";
import { virtualRuntime } from "../../support/virtual-runtime.ts";

const at = (points: Record<string, string>) => new Map(Object.entries(points));
const times = (told: Record<string, number>) => ({ ends: new Map(), times: new Map(Object.entries(told)) });

function start(given: Partial<ValidThroughStart>): ValidThrough {
  const compare = (a: string, b: string) => Number(a) - Number(b);
  return new ValidThrough({ from: at({}), end: at({}), resumed: null, lastMs: null, compare, ...given });
}

describe("the source time of a pipeline's first run", () => {
  it("is not claimed before every split that holds something has told one", () => {
    const through = start({ from: at({ "t/0": "0", "t/1": "0" }), end: at({ "t/0": "9", "t/1": "9" }) });
    through.note(times({ "t/0": 500 }));
    expect(through.ms).toBe(null);
    through.note(times({ "t/1": 300 }));
    expect(through.ms).toBe(300);
  });

  it("does not wait for an empty split, nor for one whose messages have no time", () => {
    const through = start({
      from: at({ "t/0": "0", "t/1": "4", "t/2": "0" }),
      end: at({ "t/0": "9", "t/1": "4", "t/2": "2" }),
    });
    through.note({ ...times({ "t/0": 500 }), ends: at({ "t/0": "3", "t/2": "1" }) });
    expect(through.ms).toBe(null);
    through.note({ ends: at({ "t/2": "2" }) });
    expect(through.ms).toBe(500);
  });
});

describe("after a resume the source time", () => {
  const resumed = at({ "t/0": "5", "t/1": "5" });

  it("stays at the last stamp until every split with something to read has told a later one", () => {
    const through = start({ from: resumed, resumed, lastMs: 400, end: at({ "t/0": "9", "t/1": "9" }) });
    expect(through.ms).toBe(400);
    through.note(times({ "t/0": 900 }));
    expect(through.ms).toBe(400);
    through.note(times({ "t/1": 700 }));
    expect(through.ms).toBe(700);
  });

  it("waits for a split that the tables hold nothing of", () => {
    const through = start({ from: resumed, resumed, lastMs: 400, end: at({ "t/0": "9", "t/1": "5", "t/2": "9" }) });
    through.note(times({ "t/0": 900 }));
    expect(through.ms).toBe(400);
    through.note(times({ "t/2": 800 }));
    expect(through.ms).toBe(800);
  });

  it("never goes back", () => {
    const through = start({ from: resumed, resumed, lastMs: 400, end: resumed });
    through.note(times({ "t/0": 100 }));
    expect(through.ms).toBe(400);
    through.note(times({ "t/0": 600 }));
    expect(through.ms).toBe(600);
    through.note(times({ "t/1": 500 }));
    expect(through.ms).toBe(600);
  });
});

/** Runs a job over the pulls, each rows of one split of two, of ids `10 * time`; ends when they are over. */
async function run(
  warehouse: Warehouse,
  seed: number,
  pulls: readonly (readonly [split: string, end: number, timeMs: number])[],
) {
  const runtime = virtualRuntime(seed);
  return await runJob({
    ...plainJob(warehouse, 1),
    rules: [upsertRule("a")],
    runtime,
    end: { caughtUp: false, afterMs: null, maxRows: null },
    createSource: (router) => ({
      open: async () => undefined,
      startPosition: async () => at({ "t/0": "0", "t/1": "0" }),
      endPosition: async () => at({ "t/0": "4", "t/1": "4" }),
      comparePoints: (a, b) => Number(a) - Number(b),
      acknowledge: async () => undefined,
      close: async () => undefined,
      async *read() {
        for (const [split, end, timeMs] of pulls) {
          const rows = [change("a", `+${timeMs}:x:1`)];
          const ends = at({ [split]: String(end) });
          yield { changes: batches(split, rows, end - 1, router), ends, records: 1, times: new Map([[split, timeMs]]) };
        }
      },
    }),
  });
}

/** What the table's commits say, in their order, without the creation. */
async function stamped(warehouse: Warehouse): Promise<(number | null)[]> {
  const loaded = await warehouse.catalog.loadTable({ namespace: ["shop"], name: "a" });
  return (loaded?.metadata.snapshots ?? []).map((snapshot) => readStamp(snapshot)?.validThroughMs ?? null);
}

it.each(["memory", "object-store"] as const)("stands in the commits of a job that starts again (%s)", async (kind) => {
  const warehouse = memoryWarehouse(kind);
  await run(warehouse, 5, [
    ["t/0", 1, 900],
    ["t/1", 1, 300],
  ]);
  // Created, then two commits: nothing was known of the second split at the first of them.
  expect(await stamped(warehouse)).toEqual([null, null, 300]);
  await run(warehouse, 6, [
    ["t/0", 2, 1_000],
    ["t/1", 2, 800],
  ]);
  // The takeover keeps the stamp; then the second split is waited for again.
  expect(await stamped(warehouse)).toEqual([null, null, 300, 300, 300, 800]);
});
