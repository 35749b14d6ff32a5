import { describe, expect, it } from "vitest";
import { Op } from "../../../src/core/change-batch.ts";
import type { Format } from "../../../src/core/format.ts";
import { canalJson } from "../../../src/formats/canal-json/format.ts";
import { debeziumJson } from "../../../src/formats/debezium-json/format.ts";
import { json } from "../../../src/formats/json/format.ts";
import { rowsOf } from "../../support/batch-rows.ts";
import { bindingOf, decoderOf } from "../../support/decoding.ts";
import type { TestMessage } from "../../support/slab.ts";

const HISTORY = bindingOf({ mode: "history", key: ["id"], columns: { id: "long", name: "string" } });

function changesOf(format: Format, messages: readonly TestMessage[]) {
  const batches = decoderOf(format, HISTORY).decode(messages);
  return batches.flatMap(({ ops, timesUs, length }) =>
    Array.from({ length }, (_, row) => [
      Object.keys(Op).find((name) => Op[name as keyof typeof Op] === ops[row]),
      timesUs?.[row],
    ]),
  );
}

describe("updates for a history table", () => {
  const was = { id: 1, name: "old" };
  const now = { id: 1, name: "new" };
  const images = (messages: readonly TestMessage[], takesRejects = false) =>
    rowsOf(decoderOf(debeziumJson, HISTORY, takesRejects).decode(messages)).map(({ op, values }) => [
      op,
      values["name"],
    ]);

  it("have the row as it was before them, where the source sends it", () => {
    const messages: TestMessage[] = [
      { key: { id: 1 }, value: { before: was, after: now, op: "u" } },
      { key: { id: 1 }, value: { after: now, before: was, op: "u" } },
      { key: { id: 1 }, value: { before: null, after: now, op: "u" } },
    ];
    expect(images(messages)).toEqual([
      ["updateBefore", "old"],
      ["update", "new"],
      ["updateBefore", "old"],
      ["update", "new"],
      ["update", "new"],
    ]);
  });

  it("leave none of the two behind when one cannot be read", () => {
    const messages: TestMessage[] = [
      { key: { id: 1 }, value: { before: null, after: was, op: "c" } },
      { key: { id: 1 }, value: { before: was, after: { id: "x", name: "new" }, op: "u" } },
      { key: { id: 1 }, value: { before: { id: "x", name: "old" }, after: now, op: "u" } },
      { key: { id: 1 }, value: { before: null, after: now, op: "u" } },
    ];
    expect(images(messages, true)).toEqual([
      ["insert", "old"],
      ["update", "new"],
    ]);
  });
});

describe("times of changes for a history table", () => {
  it("are the source's in Debezium's events, in microseconds where it tells them", () => {
    const row = { id: 1, name: "a" };
    const messages: TestMessage[] = [
      { key: { id: 1 }, value: { before: null, after: row, source: { ts_ms: 1_700 }, op: "c" }, timestampMs: 5_000 },
      {
        key: { id: 1 },
        value: { before: null, after: row, source: { ts_ms: 1_800, ts_us: 1_800_007 }, op: "u" },
        timestampMs: 6_000,
      },
      { key: { id: 1 }, value: { before: row, after: null, source: { ts_ms: 1_900 }, op: "d" }, timestampMs: 7_000 },
    ];
    expect(changesOf(debeziumJson, messages)).toEqual([
      ["insert", 1_700_000n],
      ["update", 1_800_007n],
      ["delete", 1_900_000n],
    ]);
  });

  it("are the message's where the source tells none", () => {
    const row = { id: 2, name: "b" };
    const messages: TestMessage[] = [
      { key: { id: 1 }, value: { before: null, after: row, source: { ts_ms: 1_700 }, op: "c" }, timestampMs: 5_000 },
      { key: { id: 2 }, value: { before: null, after: row, source: { ts_ms: 0 }, op: "r" }, timestampMs: 6_000 },
      { key: { id: 2 }, value: { before: null, after: row, op: "u" }, timestampMs: 7_000 },
      { key: { id: 1 }, value: null, timestampMs: 8_000 },
    ];
    expect(changesOf(debeziumJson, messages)).toEqual([
      ["insert", 1_700_000n],
      ["insert", 6_000_000n],
      ["update", 7_000_000n],
      ["delete", 8_000_000n],
    ]);
  });

  it("are the message's in plain JSON", () => {
    const messages: TestMessage[] = [
      { key: { id: 1 }, value: { id: 1, name: "a" }, timestampMs: 1_000 },
      { key: { id: 1 }, value: null, timestampMs: 2_000 },
      { key: { id: 1 }, value: { id: 1, name: "b" }, timestampMs: 3_000 },
    ];
    expect(changesOf(json, messages)).toEqual([
      ["insert", 1_000_000n],
      ["delete", 2_000_000n],
      ["insert", 3_000_000n],
    ]);
  });

  it("stay with the rows when a message behind them is refused", () => {
    const messages: TestMessage[] = [
      { key: { id: 1 }, value: { id: 1, name: "a" }, timestampMs: 1_000 },
      { key: { id: 2 }, value: { id: "x", name: "a" }, timestampMs: 2_000 },
      { key: { id: 3 }, value: { id: 3, name: "a" }, timestampMs: -1 },
    ];
    const batches = decoderOf(json, HISTORY, true).decode(messages);
    expect(batches.flatMap(({ timesUs }) => [...(timesUs ?? [])])).toEqual([1_000_000n, -(2n ** 63n)]);
  });

  it("are not kept for other tables", () => {
    const binding = bindingOf({ key: ["id"], columns: { id: "long" } });
    for (const format of [debeziumJson, canalJson, json]) {
      const [batch] = decoderOf(format, binding, true).decode([{ key: { id: 1 }, value: { id: 1 }, timestampMs: 1 }]);
      expect(batch?.timesUs).toBeUndefined();
    }
  });
});
