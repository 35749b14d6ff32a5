import { expect, test } from "vitest";
import { limitConcurrency, mapConcurrently } from "../../../../table-format/io/concurrent-map.ts";

/** Counts calls under way; each takes a few turns. */
const counted = () => {
  const state = { now: 0, most: 0, calls: 0 };
  const run = async (item: number): Promise<number> => {
    state.calls += 1;
    state.most = Math.max(state.most, ++state.now);
    for (let turn = 0; turn < 1 + (item % 5); turn++) await Promise.resolve();
    state.now -= 1;
    if (item === 13) throw new Error("thirteen");
    return item * 2;
  };
  return { state, run };
};
const items = (count: number) => Array.from({ length: count }, (_, i) => i);

test("maps in order, with no more calls at once than allowed", async () => {
  const { state, run } = counted();
  expect(await mapConcurrently(items(12), 3, run)).toEqual(items(12).map((i) => i * 2));
  expect(state.most).toBe(3);
  expect(await mapConcurrently([], 3, run)).toEqual([]);
});

test("the first error ends the mapping", async () => {
  const { state, run } = counted();
  await expect(mapConcurrently(items(1000), 4, run)).rejects.toThrow("thirteen");
  expect(state.calls).toBeLessThan(30);
});

test("a limited function lets everyone through, also past errors", async () => {
  const { state, run } = counted();
  const limited = limitConcurrency(3, run);
  const results = await Promise.allSettled(items(40).map(limited));
  expect(state.most).toBe(3);
  expect(results.map((each) => each.status === "fulfilled")).toEqual(items(40).map((i) => i !== 13));
  expect(await limited(4)).toBe(8);
});
