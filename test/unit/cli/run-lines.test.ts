import { expect, it } from "vitest";
import { progressLine } from "../../../src/cli/run-lines.ts";
import { createFigures } from "../../../src/observe/figures.ts";

/** The share done, of one split. */
function share(from: string, reached: string, target: string): unknown {
  const of = (point: string) => new Map([["t/0", point]]);
  const event = { rows: 0, records: 0, bufferedRows: 0, bufferedBytes: 0 };
  const clock = { nowMs: () => 0, monotonicMs: () => 0, sleep: async () => {} };
  const points = { from: of(from), reached: of(reached), target: of(target) };
  return progressLine("shop", { ...event, ...points }, createFigures(clock).read(), 0).fields["share"];
}

it.each([
  ["of offsets", "50", "75", "150", 0.25],
  ["in a topic that was made anew", "10@2", "15@2", "20@2", 0.5],
  ["from a topic to the one that was made anew", "50", "5@2", "20@2", 0.25],
  ["before the new topic is begun", "50", "60", "20@2", 0],
  ["when a topic is made anew on the way", "50", "5@2", "150", 1],
  ["of points that count nothing", "0/16B3748", "0/16B3748", "0/16B3750", null],
])("the share done %s", (_, from, reached, target, expected) => {
  expect(share(from, reached, target)).toBe(expected);
});
