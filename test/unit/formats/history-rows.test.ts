import { describe, expect, it } from "vitest";
import { Op } from "../../../src/core/change-batch.ts";
import type { Format } from "../../../src/core/format.ts";
import { canalJson } from "../../../src/formats/canal-json/format.ts";
import { debeziumJson } from "../../../src/formats/debezium-json/format.ts";
import { json } from "../../../src/formats/json/format.ts";
import { ABSENT, rowsOf } from "../../support/batch-rows.ts";
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

  it("have no row of nulls before them where the source logs the old key alone", () => {
    const keyOnly = { id: 1, name: null };
    const messages: TestMessage[] = [
      { key: { id: 1 }, value: { before: { id: 1 }, after: now, op: "u" } },
      { key: { id: 1 }, value: { before: keyOnly, after: now, op: "u" } },
      { key: { id: 2 }, value: { before: keyOnly, after: { id: 2, name: "moved" }, op: "u" } },
    ];
    const rows = rowsOf(decoderOf(debeziumJson, HISTORY).decode(messages));
    expect(rows.map(({ op, values }) => [op, values["id"], values["name"]])).toEqual([
      ["update", 1n, "new"],
      ["update", 1n, "new"],
      ["delete", 1n, ABSENT],
      ["insert", 2n, "moved"],
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

describe("deletes for a history table", () => {
  const rows = (messages: readonly TestMessage[]) =>
    rowsOf(decoderOf(debeziumJson, HISTORY).decode(messages)).map(({ op, values }) => [
      op,
      values["id"],
      values["name"],
    ]);
  const deleted = (before: object | null, source: object = { connector: "mysql" }): TestMessage => ({
    key: { id: 1 },
    value: { before, after: null, source, op: "d" },
  });

  it("have the row as it was, where the source sends it, and once", () => {
    const messages: TestMessage[] = [
      deleted({ id: 1, name: "old" }),
      { key: { id: 1 }, value: null },
      deleted({ id: 1, name: "" }),
      deleted(null),
    ];
    expect(rows(messages)).toEqual([
      ["delete", 1n, "old"],
      ["delete", 1n, ""],
      ["delete", 1n, ABSENT],
    ]);
  });

  it("have their key alone where the source logs no more of the row", () => {
    const postgres = { connector: "postgresql" };
    const insert: TestMessage = { key: { id: 2 }, value: { before: null, after: { id: 2, name: "a" }, op: "c" } };
    const gone = [deleted({ id: 1 }), deleted({ id: 1, name: null }), deleted({ id: 1, name: "" }, postgres)];
    expect(rows([insert, ...gone, deleted({ id: 1, name: "x" }, postgres)]).slice(1)).toEqual([
      ["delete", 1n, ABSENT],
      ["delete", 1n, ABSENT],
      ["delete", 1n, ABSENT],
      ["delete", 1n, "x"],
    ]);
  });

  it("have their key alone where the rest is what the schema has for columns that are not known", () => {
    const row = {
      type: "struct",
      fields: [
        { type: "int64", field: "id", optional: false },
        { type: "string", field: "name", optional: true, default: "näw" },
        { type: "int32", field: "count", optional: false },
      ],
    };
    const schema = {
      type: "struct",
      fields: [
        { ...row, field: "before" },
        { ...row, field: "after" },
      ],
    };
    const gone = (name: string, connector: string): TestMessage => ({
      key: { id: 1 },
      value: {
        schema,
        payload: { before: { id: 1, name, count: 0 }, after: null, source: { connector }, op: "d" },
      },
    });
    expect(rows([gone("näw", "postgresql"), gone("new", "postgresql"), gone("näw", "mysql")])).toEqual([
      ["delete", 1n, ABSENT],
      ["delete", 1n, "new"],
      ["delete", 1n, "näw"],
    ]);
  });

  it("come of a tombstone whose delete is gone", () => {
    const insert: TestMessage = { key: { id: 2 }, value: { before: null, after: { id: 2, name: "a" }, op: "c" } };
    expect(rows([insert, { key: { id: 1 }, value: null }])).toEqual([
      ["insert", 2n, "a"],
      ["delete", 1n, ABSENT],
    ]);
  });
});

describe("Canal's rows for a history table", () => {
  const message = (type: string, data: object[], old: (object | null)[] | null, more: object = {}): TestMessage => ({
    value: {
      data,
      database: "shop",
      es: 1_700,
      isDdl: false,
      old,
      pkNames: ["id"],
      table: "t",
      ts: 9_000,
      type,
      ...more,
    },
    timestampMs: 5_000,
  });
  const binding = (columns: Record<string, string>) => bindingOf({ mode: "history", columns });
  const DECLARED = binding({ id: "long", name: "string", total: "long" });
  const rows = (messages: readonly TestMessage[], of = DECLARED, takesRejects = false) =>
    rowsOf(decoderOf(canalJson, of, takesRejects).decode(messages)).map(({ op, after, values }) => [
      op,
      after,
      values["id"],
      values["name"],
      values["total"],
    ]);

  it("are those before an update with what it changed put back, also its key, and those after it", () => {
    const now = { id: "1", name: "new", total: "7" };
    const messages = [
      message("INSERT", [now], null),
      message("UPDATE", [now, { id: "3", name: "c", total: "8" }], [{ name: "old" }, { id: "2", total: null }]),
      message("DELETE", [now], null),
    ];
    expect(rows(messages)).toEqual([
      ["insert", "1", 1n, "new", 7n],
      ["updateBefore", "2", 1n, "old", 7n],
      ["update", "2", 1n, "new", 7n],
      ["updateBefore", "2", 2n, "c", null],
      ["update", "2", 3n, "c", 8n],
      ["delete", "3", 1n, "new", 7n],
    ]);
  });

  it("are those after an update alone where it does not say what it changed", () => {
    const now = { id: "1", name: "new", total: "7" };
    const update = (old: (object | null)[] | null) => message("UPDATE", [now], old);
    expect(rows([update(null), update([{}]), update([null]), update([])]).map(([op]) => op)).toEqual([
      "update",
      "update",
      "update",
      "update",
    ]);
  });

  it("find columns that only one of the two images shows a type of", () => {
    const messages = [
      message("UPDATE", [{ id: "1", name: null, total: "7" }], [{ name: "old" }]),
      message("UPDATE", [{ id: "1", name: "new", late: "x" }], [{ name: null }]),
    ];
    const decoded = rowsOf(decoderOf(canalJson, binding({ id: "long" })).decode(messages));
    expect(decoded.map(({ op, values }) => [op, values["name"], values["total"], values["late"]])).toEqual([
      ["updateBefore", "old", "7", undefined],
      ["update", null, "7", undefined],
      ["updateBefore", null, ABSENT, "x"],
      ["update", "new", ABSENT, "x"],
    ]);
  });

  it("leave none of a message behind when one cannot be read", () => {
    const row = (name: string) => ({ id: "1", name, total: "7" });
    const messages = [
      message("INSERT", [row("a")], null),
      message("UPDATE", [row("b"), { ...row("c"), total: "x" }], [{ name: "a" }, { name: "b" }]),
      message("UPDATE", [row("d")], [{ total: "x" }]),
      message("UPDATE", [row("e")], [{ name: "a" }]),
    ];
    expect(rows(messages, DECLARED, true)).toEqual([
      ["insert", "1", 1n, "a", 7n],
      ["updateBefore", "4", 1n, "a", 7n],
      ["update", "4", 1n, "e", 7n],
    ]);
  });

  it("have the time of the event, else that of the message", () => {
    const row = { id: "1", name: "a" };
    const messages = [
      message("INSERT", [row], null),
      message("UPDATE", [row], [{ name: "b" }], { es: 1_800 }),
      message("DELETE", [row], null, { es: 0 }),
      message("TRUNCATE", [], null, { es: 1_900, isDdl: true }),
      message("INSERT", [row], null, { es: undefined }),
    ];
    const batches = decoderOf(canalJson, DECLARED).decode(messages);
    expect(batches.flatMap(({ timesUs }) => [...(timesUs ?? [])])).toEqual(
      [1_700, 1_800, 1_800, 5_000, 1_900, 5_000].map((ms) => BigInt(ms) * 1_000n),
    );
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
    messages.push({
      key: { id: 1 },
      value: `{"before":null,"after":{"id":1,"name":"b"},"source":{"ts_ms":1,"ts_ns":1700000000123456789},"op":"c"}`,
    });
    expect(changesOf(debeziumJson, messages)).toEqual([
      ["insert", 1_700_000n],
      ["update", 1_800_007n],
      ["delete", 1_900_000n],
      ["insert", 1_700_000_000_123_456n],
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
