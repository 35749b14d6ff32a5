import { expect, test } from "vitest";
import { noRecord, partsOf, type RecordedRun, stretches, withRun } from "./record.ts";
import { noTotals } from "./totals.ts";

function run(first: number, last: number, build: string, given: Partial<RecordedRun> = {}): RecordedRun {
  const totals = { ...noTotals(), seeds: last - first + 1, crashPoints: { drain: last - first + 1 } };
  return { first, last, isNew: true, build, totals, failures: [], ...given };
}

test("seeds are divided into those that are recorded and those that are not", () => {
  const record = [run(10, 19, "a"), run(20, 29, "b"), run(40, 49, "b")].reduce(withRun, noRecord());
  expect(partsOf(record, 1, 60)).toEqual([
    { first: 1, last: 9, isNew: true },
    { first: 10, last: 29, isNew: false },
    { first: 30, last: 39, isNew: true },
    { first: 40, last: 49, isNew: false },
    { first: 50, last: 60, isNew: true },
  ]);
  expect(partsOf(record, 15, 10)).toEqual([{ first: 15, last: 24, isNew: false }]);
  expect(partsOf(record, 15, 0)).toEqual([]);
  expect(stretches(record)).toEqual([
    [10, 29],
    [40, 49],
  ]);
});

test("seeds that are run again count once, under the build that ran them last", () => {
  const record = [run(1, 100, "a"), run(41, 60, "b", { isNew: false }), run(101, 110, "a")].reduce(withRun, noRecord());
  expect(record.totals.seeds).toBe(110);
  expect(record.totals.crashPoints).toEqual({ drain: 110 });
  expect(record.ranges).toEqual([
    [1, 40, "a"],
    [41, 60, "b"],
    [61, 110, "a"],
  ]);
  expect(stretches(record)).toEqual([[1, 110]]);
});

test("a violation is open until its seed has been run again and held, and opens again if it comes back", () => {
  const torn = { seed: 7, rule: "torn cut" };
  const found = withRun(noRecord(), run(1, 10, "a", { failures: [torn, { seed: 9, rule: "position back" }] }));
  expect(found.totals.violations).toBe(2);
  const others = withRun(found, run(11, 20, "b"));
  expect(others.violations).toEqual(found.violations);
  const again = withRun(others, run(7, 7, "b", { isNew: false }));
  expect(again.violations).toEqual([
    { ...torn, build: "a", heldBy: "b" },
    { seed: 9, rule: "position back", build: "a", heldBy: null },
  ]);
  expect(again.totals.violations).toBe(1);
  const back = withRun(again, run(5, 8, "c", { isNew: false, failures: [torn] }));
  expect(back.violations[0]).toEqual({ ...torn, build: "c", heldBy: null });
  expect(back.totals.violations).toBe(2);
});
