import { expect, test } from "vitest";
import { laterOf, reachedByAll, withinCut } from "../../../src/commit/merge-position.ts";

const at = (points: Record<string, string>) => new Map(Object.entries(points));
const compare = (a: string, b: string) => Number(a) - Number(b);

test("all have reached the least point of the splits that none of them lacks", () => {
  expect(reachedByAll([at({ t0: "5", t1: "3" }), at({ t0: "10", t1: "2" })], compare)).toEqual(
    at({ t0: "5", t1: "2" }),
  );
  expect(reachedByAll([at({ t0: "5", t1: "3" }), at({ t0: "4" })], compare)).toEqual(at({ t0: "4" }));
  expect(reachedByAll([at({ t0: "5" }), at({ t0: "4", t1: "3" })], compare)).toEqual(at({ t0: "4" }));
});

test("the later of two positions is the later point of each split", () => {
  expect(laterOf(at({ t0: "5", t1: "3" }), at({ t0: "10", t2: "1" }), compare)).toEqual(
    at({ t0: "10", t1: "3", t2: "1" }),
  );
});

test("a position is within a cut when no split of it lies beyond", () => {
  expect(withinCut(at({ t0: "5" }), at({ t0: "5", t1: "1" }), compare)).toBe(true);
  expect(withinCut(at({ t0: "6" }), at({ t0: "5" }), compare)).toBe(false);
  expect(withinCut(at({ t1: "1" }), at({ t0: "5" }), compare)).toBe(false);
});
