import { expect, it } from "vitest";
import { createLog, type LogOptions } from "../../../src/observe/log.ts";

function capture(options: Partial<LogOptions>) {
  const lines: string[] = [];
  const log = createLog({
    level: "info",
    format: "text",
    color: false,
    nowMs: () => Date.UTC(2026, 10, 20, 9, 8, 7, 65),
    write: (line) => lines.push(line),
    ...options,
  });
  return { log, lines };
}

it("writes JSON lines that every parser reads", () => {
  const { log, lines } = capture({ format: "json" });
  log.debug("not shown");
  log.info("checkpoint committed", {
    checkpoint: 7n,
    position: 2n ** 60n,
    rows: 2,
    error: new Error("x"),
    job: "orders",
  });
  log.error("gone");
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    {
      level: "info",
      ts: "2026-11-20T09:08:07.065Z",
      checkpoint: 7,
      position: "1152921504606846976",
      rows: 2,
      error: "x",
      job: "orders",
      msg: "checkpoint committed",
    },
    { level: "error", ts: "2026-11-20T09:08:07.065Z", msg: "gone" },
  ]);
  expect(lines.every((line) => line.endsWith("\n") && line.indexOf("\n") === line.length - 1)).toBe(true);
});

it("writes text for people", () => {
  const { log, lines } = capture({});
  log.debug("not shown");
  log.info("committed", { id: 9007199254740993n, table: "shop.orders", note: "two words", none: undefined, n: null });
  log.warn("slow", { list: [1n, "a"], error: new Error("timed out") });
  expect(lines).toEqual([
    '09:08:07 info  committed  id=9007199254740993  table=shop.orders  note="two words"  n=null\n',
    '09:08:07 warn  slow  list=["1","a"]  error=timed out\n',
  ]);
  expect(capture({ level: "silent" }).lines).toEqual([]);
});

it("colours the level only", () => {
  const { log, lines } = capture({ color: true });
  log.warn("careful");
  expect(lines).toEqual(["09:08:07 \u001b[33mwarn\u001b[0m  careful\n"]);
});
