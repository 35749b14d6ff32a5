import { expect, it } from "vitest";
import type { Log } from "../../../../src/core/runtime.ts";
import { ReadProgress } from "../../../../src/sink/key-index/read-progress.ts";

/** Reads files of two batches of ten rows each, which take so long. @returns what is told of it. */
function told(files: number, msABatch: number): unknown[] {
  const lines: unknown[] = [];
  let nowMs = 0;
  const info: Log["info"] = (message, fields) => void lines.push([nowMs, message, fields]);
  const log = { debug() {}, info, warn() {}, error() {} };
  const progress = new ReadProgress("shop.orders", files, files * 20, { monotonicMs: () => nowMs }, log);
  for (let batch = 1; batch <= files * 2; batch++) {
    nowMs += msABatch;
    progress.add(10, batch % 2 === 0);
  }
  return lines;
}

const line = (files: number, ofFiles: number, rows: number) => [
  "reading keys of a table",
  { table: "shop.orders", files, ofFiles, rows, ofRows: ofFiles * 20 },
];

it("tells every two seconds how far it has come, and the end", () => {
  expect(told(3, 900)).toEqual([
    [2_700, ...line(1, 3, 30)],
    [5_400, ...line(3, 3, 60)],
  ]);
  expect(told(2, 2_500).map((entry) => (entry as unknown[])[0])).toEqual([2_500, 5_000, 7_500, 10_000]);
});

it("tells nothing of what takes no time", () => {
  expect(told(40, 20)).toEqual([]);
});
