import { describe, expect, it } from "vitest";
import { FrazilError } from "../../../../src/core/errors.ts";
import { debeziumJson } from "../../../../src/formats/debezium-json/format.ts";
import { ABSENT, rowsOf } from "../../../support/batch-rows.ts";
import { bindingOf, decoderOf, routedDecoder } from "../../../support/decoding.ts";
import type { TestMessage } from "../../../support/slab.ts";

const SOURCE = {
  version: "3.0.0",
  connector: "postgresql",
  name: "shop",
  db: "shop",
  schema: "public",
  table: "orders",
};

function change(op: string, before: unknown, after: unknown, source: unknown = SOURCE): TestMessage["value"] {
  return { before, after, source, transaction: null, op, ts_ms: 1_750_000_000_000 };
}

function errorOf(run: () => unknown): FrazilError {
  try {
    run();
  } catch (error) {
    if (error instanceof FrazilError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("ops", () => {
  it("become inserts, updates, deletes and truncates, each after its offset", () => {
    const decoder = decoderOf(debeziumJson);
    const batches = decoder.decode([
      { key: { id: 1 }, value: change("r", null, { id: 1, name: "a" }) },
      { key: { id: 2 }, value: change("c", null, { id: 2, name: "b" }) },
      { key: { id: 1 }, value: change("u", null, { id: 1, name: "c" }) },
      { key: { id: 2 }, value: change("d", { id: 2, name: null }, null) },
      { key: { id: 2 }, value: null },
      { key: null, value: { source: SOURCE, op: "t", ts_ms: 1 } },
    ]);
    expect(batches).toHaveLength(1);
    expect(batches[0]).toMatchObject({ table: 0, split: "shop.public.orders/0", key: ["id"], length: 6 });
    expect(rowsOf(batches)).toEqual([
      { op: "insert", after: "1", values: { id: 1n, name: "a" } },
      { op: "insert", after: "2", values: { id: 2n, name: "b" } },
      { op: "update", after: "3", values: { id: 1n, name: "c" } },
      { op: "delete", after: "4", values: { id: 2n, name: ABSENT } },
      { op: "delete", after: "5", values: { id: 2n, name: ABSENT } },
      { op: "truncate", after: "6", values: { id: ABSENT, name: ABSENT } },
    ]);
  });

  it("carry offsets beyond 32 bits", () => {
    const decoder = decoderOf(debeziumJson);
    const value = change("c", null, { id: 1 });
    const batches = decoder.decode([
      { value, offset: 0xffff_fffen },
      { value, offset: 0xffff_ffffn },
      { value, offset: 2n ** 53n + 1n },
    ]);
    expect(rowsOf(batches).map((row) => row.after)).toEqual(["4294967295", "4294967296", "9007199254740994"]);
  });

  it("read the parts of the envelope in any order, with any white space", () => {
    const decoder = decoderOf(debeziumJson);
    const values = [
      `{"op":"u","after":{"id":2},"before":{"id":1}}`,
      ` {\n "after" : { "id" : 3 , "name" : null } ,\t"op" : "c" }\r\n`,
      `{"ts_ms":1,"source":{},"before":{"id":4},"op":"d"}`,
    ];
    const rows = rowsOf(decoder.decode(values.map((value) => ({ key: `{ "id" : 0 }`, value }))));
    expect(rows).toEqual([
      { op: "delete", after: "1", values: { id: 1n } },
      { op: "insert", after: "1", values: { id: 2n } },
      { op: "insert", after: "2", values: { id: 3n } },
      { op: "delete", after: "3", values: { id: 4n } },
    ]);
  });

  it("split an update that changes the key", () => {
    const decoder = decoderOf(debeziumJson);
    const rows = rowsOf(
      decoder.decode([
        { key: { id: 2 }, value: change("u", { id: 1, name: "a" }, { id: 2, name: "a" }) },
        { key: { id: 2 }, value: change("u", { id: 2, name: "a" }, { id: 2, name: "b" }) },
      ]),
    );
    expect(rows).toEqual([
      // In one batch, also where the change is the first to show its columns.
      { op: "delete", after: "1", values: { id: 1n, name: ABSENT } },
      { op: "insert", after: "1", values: { id: 2n, name: "a" } },
      { op: "update", after: "2", values: { id: 2n, name: "b" } },
    ]);
  });

  it("take the job's key before the message's", () => {
    const decoder = decoderOf(debeziumJson, bindingOf({ key: ["region", "id"] }));
    const batches = decoder.decode([
      { key: { id: 1 }, value: change("u", { id: 1, region: "eu" }, { id: 1, region: "us" }) },
      { key: { id: 1 }, value: change("d", { id: 1, region: "us" }, null) },
    ]);
    expect(batches.map((batch) => batch.key)).toEqual([null]);
    expect(rowsOf(batches)).toEqual([
      { op: "delete", after: "1", values: { id: 1n, region: "eu" } },
      { op: "insert", after: "1", values: { id: 1n, region: "us" } },
      { op: "delete", after: "2", values: { id: 1n, region: "us" } },
    ]);
  });

  it("take a delete's key from the message key when there is no image", () => {
    const decoder = decoderOf(debeziumJson);
    const rows = rowsOf(
      decoder.decode([
        { key: { a: "x", b: 7 }, value: change("d", null, null) },
        { key: { a: "y", b: 8 }, value: change("d", { a: "y", b: null, c: 1 }, null) },
      ]),
    );
    expect(rows.map((row) => row.values)).toEqual([
      { a: "x", b: 7n },
      { a: "y", b: 8n },
    ]);
  });

  it("refuse a delete whose key cannot be told", () => {
    const decoder = decoderOf(debeziumJson, bindingOf({ key: ["region"] }));
    const error = errorOf(() =>
      decoder.decode([{ key: { id: 1 }, value: change("d", { id: 1, region: null }, null) }]),
    );
    expect(error).toMatchObject({ kind: "data", code: "DELETE_WITHOUT_KEY" });
    expect(error.message).toContain("region");
    expect(error.hint).toContain("REPLICA IDENTITY FULL");
  });

  it("leave deletes of append tables to the sink, keyed or not", () => {
    const decoder = decoderOf(debeziumJson, bindingOf({ mode: "append" }));
    expect(rowsOf(decoder.decode([{ value: change("d", null, null) }]))).toEqual([
      { op: "delete", after: "1", values: {} },
    ]);
  });

  it.each([
    [change("c", null, null), "NO_ROW"],
    [change("u", { id: 1 }, null), "NO_ROW"],
    [change("d", null, { id: 1 }), "UNEXPECTED_ROW"],
    [change("t", null, { id: 1 }), "UNEXPECTED_ROW"],
    [change("x", null, { id: 1 }), "UNKNOWN_OP"],
    [{ id: 1, name: "flattened" }, "NOT_A_CHANGE_EVENT"],
    [{ before: null, after: { id: 1 } }, "NOT_A_CHANGE_EVENT"],
    [{}, "NOT_A_CHANGE_EVENT"],
  ])("refuse %j", (value, code) => {
    const decoder = decoderOf(debeziumJson);
    expect(errorOf(() => decoder.decode([{ key: { id: 1 }, value }]))).toMatchObject({ kind: "data", code });
  });
});

describe("tombstones", () => {
  it("delete their message key even as the first message", () => {
    const decoder = decoderOf(debeziumJson);
    const batches = decoder.decode([{ key: { id: 5 }, value: null }]);
    expect(batches[0]?.key).toEqual(["id"]);
    expect(rowsOf(batches)).toEqual([{ op: "delete", after: "1", values: { id: 5n } }]);
  });

  it("are skipped as the echo of a delete when they cannot name the row, else refused", () => {
    const decoder = decoderOf(debeziumJson, bindingOf({ key: ["region"] }));
    const deleted = (id: number) => ({ key: { id }, value: change("d", { id, region: "eu" }, null) });
    const gone = (id: number) => ({ key: { id }, value: null });
    expect(rowsOf(decoder.decode([gone(1), deleted(2), gone(2), deleted(3)]))).toHaveLength(2);
    expect(rowsOf(decoder.decode([gone(3)]))).toHaveLength(0);
    expect(decoder.skipped).toMatchObject({ tombstone: 3 });
    expect(errorOf(() => decoder.decode([gone(4)]))).toMatchObject({ code: "DELETE_WITHOUT_KEY" });
  });

  it("come wrapped, too", () => {
    const decoder = decoderOf(debeziumJson);
    const rows = rowsOf(
      decoder.decode([{ key: { schema: null, payload: { id: 1 } }, value: { schema: null, payload: null } }]),
    );
    expect(rows).toEqual([{ op: "delete", after: "1", values: { id: 1n } }]);
  });
});

describe("keys", () => {
  it("end a batch where the messages name another", () => {
    const decoder = decoderOf(debeziumJson);
    const row = change("c", null, { id: 1, at: 2 });
    const batches = decoder.decode([
      { key: { id: 1 }, value: row },
      { key: { id: 1, at: 2 }, value: row },
      { key: { id: 1, at: 2 }, value: row },
      { value: row },
      { key: "plain text", value: row },
      { key: "{}", value: row },
    ]);
    expect(batches.map((batch) => [batch.key, batch.length])).toEqual([
      [["id"], 1],
      [["id", "at"], 2],
      [null, 3],
    ]);
  });

  it("may have columns called schema and payload", () => {
    const decoder = decoderOf(debeziumJson);
    const batches = decoder.decode([{ key: { schema: "public", payload: 1 }, value: null }]);
    expect(batches[0]?.key).toEqual(["schema", "payload"]);
    expect(rowsOf(batches)[0]?.values).toEqual({ schema: "public", payload: 1n });
  });

  it("are checked as JSON", () => {
    const decoder = decoderOf(debeziumJson);
    const error = errorOf(() => decoder.decode([{ key: `{"id":1`, value: change("c", null, { id: 1 }) }]));
    expect(error).toMatchObject({ code: "MALFORMED_JSON" });
    expect(error.message).toContain("of the key");
  });
});

describe("columns", () => {
  it("that appear later start another batch, and one that is left out is absent, not null", () => {
    const decoder = decoderOf(debeziumJson);
    const insert = (row: unknown) => ({ key: { id: 1 }, value: change("c", null, row) });
    const batches = decoder.decode([
      insert({ id: 1, a: "x" }),
      insert({ id: 2, a: "y", b: true }),
      insert({ b: false, id: 3 }),
      insert({ id: 4, a: null, b: null }),
    ]);
    expect(batches.map((batch) => batch.fields.map((field) => field.name))).toEqual([
      ["id", "a"],
      ["id", "a", "b"],
    ]);
    expect(rowsOf(batches).map((row) => row.values)).toEqual([
      { id: 1n, a: "x" },
      { id: 2n, a: "y", b: true },
      { id: 3n, a: ABSENT, b: false },
      { id: 4n, a: null, b: null },
    ]);
  });

  it("are found whatever their names are made of", () => {
    const decoder = decoderOf(debeziumJson);
    const names = ["a b", 'quo"te', "ü", "__proto__", "constructor", " ", "a\u0001b", "emoji 😀"];
    const row = Object.fromEntries(names.map((name, k) => [name, k]));
    const text = JSON.stringify(change("c", null, row));
    const rows = rowsOf(decoder.decode([{ value: text }, { value: text.replace("ü", "\\u00fc") }]));
    const expected = names.map((name, k) => [name, BigInt(k)]);
    expect(rows.map((decoded) => Object.entries(decoded.values))).toEqual([expected, expected]);
    expect(decoder.inferred.map((column) => column.name)).toEqual(names);
  });

  it("twice in a row are refused", () => {
    const decoder = decoderOf(debeziumJson);
    const error = errorOf(() => decoder.decode([{ value: `{"before":null,"after":{"id":1,"id":2},"op":"c"}` }]));
    expect(error).toMatchObject({ kind: "data", code: "MALFORMED_JSON" });
  });

  it("holding Debezium's placeholder in an update are absent, in an insert they hold that text", () => {
    const placeholder = "__debezium_unavailable_value";
    const row = {
      id: 1,
      text: placeholder,
      bytes: Buffer.from(placeholder).toString("base64"),
      list: [placeholder],
      n: 1,
    };
    const ints = { ...row, list: [...Buffer.from(placeholder)] };
    const decoder = decoderOf(debeziumJson, bindingOf({ columns: { bytes: "binary", list: "string" } }));
    const rows = rowsOf(
      decoder.decode([
        { key: { id: 1 }, value: change("u", null, row) },
        { key: { id: 1 }, value: change("u", null, ints) },
        { key: { id: 1 }, value: change("c", null, row) },
        { key: { id: 1 }, value: change("u", null, { ...row, text: "__debezium" }) },
      ]),
    );
    const absent = { id: 1n, text: ABSENT, bytes: ABSENT, list: ABSENT, n: 1n };
    expect(rows.map((decoded) => decoded.values)).toEqual([
      absent,
      absent,
      { id: 1n, text: placeholder, bytes: Buffer.from(placeholder).toString("hex"), list: `["${placeholder}"]`, n: 1n },
      { ...absent, text: "__debezium" },
    ]);
    expect(rows.map((decoded) => decoded.op)).toEqual(["update", "update", "insert", "update"]);
  });

  // Once written as the row's value: PostgreSQL leaves out unchanged TOAST values also where the key changes.
  it("holding the placeholder in the second half of a key change are refused", () => {
    const row = { id: 2, text: "__debezium_unavailable_value" };
    const messages = [
      { key: { id: 1 }, value: change("d", { id: 1 }, null), headers: [["__debezium.newkey", null] as const] },
      { key: { id: 2 }, value: change("c", null, row), headers: [["__debezium.oldkey", null] as const] },
    ];
    expect(errorOf(() => decoderOf(debeziumJson).decode(messages))).toMatchObject({ code: "UNAVAILABLE_VALUE" });
    const kept = decoderOf(debeziumJson, bindingOf(), true);
    expect(rowsOf(kept.decode(messages)).map(({ op }) => op)).toEqual(["delete"]);
    expect(kept.rejected.map(({ message }) => message)).toEqual([1]);
  });
});

describe("routing", () => {
  const orders = bindingOf({ table: 1, target: "lake.orders" });
  const items = bindingOf({ table: 2, target: "lake.items" });

  it("goes by the table that the event names, and says once what no entry takes", () => {
    const decoder = routedDecoder(debeziumJson, {
      byStream: () => null,
      route: (_, id) => (id === "public.orders" ? orders : id === "inventory.items" ? items : null),
    });
    const mysql = { connector: "mysql", db: "inventory", table: "items" };
    const other = { ...SOURCE, table: "other" };
    const batches = decoder.decode([
      { key: { id: 1 }, value: change("c", null, { id: 1 }) },
      { key: { id: 2 }, value: change("c", null, { id: 2 }, mysql) },
      { key: { id: 3 }, value: change("c", null, { id: 3 }, other) },
      { key: { id: 4 }, value: change("u", { id: 4 }, { id: 4 }) },
      { key: { id: 5 }, value: change("d", { id: 5 }, null, other) },
      { key: { id: 5 }, value: null },
      { key: { id: 6 }, value: null },
    ]);
    expect(batches.map((batch) => [batch.table, rowsOf([batch]).map((row) => row.after)])).toEqual([
      [1, ["1", "4"]],
      [2, ["2"]],
    ]);
    expect(decoder.unrouted).toEqual(["public.other", null]);
    expect(decoder.skipped).toMatchObject({ unrouted: 3, tombstone: 1 });
  });

  it("says nothing of a tombstone that only echoes a delete, whose key does not name its table", () => {
    const decoder = routedDecoder(debeziumJson, {
      byStream: () => null,
      route: (_, id) => (id === "public.orders" ? orders : null),
    });
    const deleted = { key: { id: 1 }, value: change("d", { id: 1 }, null) };
    expect(decoder.decode([deleted, { key: { id: 1 }, value: null }])).toHaveLength(1);
    expect(decoder.unrouted).toEqual([]);
    expect(decoder.skipped).toMatchObject({ unrouted: 0, tombstone: 1 });
  });

  it("finds a tombstone's table by its key's schema", () => {
    const decoder = routedDecoder(debeziumJson, {
      byStream: () => null,
      route: (_, id) => (id === "public.orders" ? orders : null),
    });
    const schema = {
      type: "struct",
      name: "shop.public.orders.Key",
      optional: false,
      fields: [{ type: "int32", optional: false, field: "id" }],
    };
    const batches = decoder.decode([{ key: { schema, payload: { id: 9 } }, value: null }]);
    expect(batches[0]?.table).toBe(1);
    expect(batches[0]?.fields).toEqual([{ name: "id", type: { kind: "int" }, required: true }]);
  });
});

describe("messages that are no row changes", () => {
  it("are skipped by their shape and counted", () => {
    const decoder = decoderOf(debeziumJson);
    const values = [
      { ts_ms: 1 },
      { ts_ms: 1, ts_us: 1000, ts_ns: 1_000_000 },
      { status: "BEGIN", id: "571:53195829", event_count: null, data_collections: null, ts_ms: 1 },
      {
        source: SOURCE,
        ts_ms: 1,
        databaseName: "inventory",
        schemaName: null,
        ddl: "CREATE TABLE t (id INT)",
        tableChanges: [],
      },
      { op: "m", ts_ms: 1, source: SOURCE, message: { prefix: "p", content: "aGVsbG8=" } },
      { id: "1", aggregate_type: "Initial Snapshot", type: "COMPLETED", additional_data: {}, timestamp: 1 },
      { schema: { type: "struct", name: "io.debezium.connector.common.Heartbeat" }, payload: { ts_ms: 1 } },
    ];
    expect(decoder.decode(values.map((value) => ({ key: { serverName: "shop" }, value })))).toEqual([]);
    expect(decoder.decode([{ value: null }])).toEqual([]);
    expect(decoder.skipped).toEqual({
      heartbeat: 3,
      transaction: 1,
      schemaChange: 1,
      logicalMessage: 1,
      notification: 1,
      empty: 1,
      tombstone: 0,
      unrouted: 0,
    });
  });
});

describe("rejected messages", () => {
  it("are those without a value in a key column of an upsert table", () => {
    const messages = [
      { key: null, value: change("c", null, { id: 1, name: "a" }) },
      { key: null, value: change("c", null, { id: null, name: "b" }) },
      { key: null, value: change("u", null, { name: "c" }) },
      { key: null, value: change("u", { id: 1, name: "a" }, { id: null, name: "d" }) },
      { key: null, value: change("r", null, { id: 2, name: "e" }) },
    ];
    const decoder = decoderOf(debeziumJson, bindingOf({ key: ["id"] }), true);
    expect(rowsOf(decoder.decode(messages)).map(({ values }) => values["name"])).toEqual(["a", "e"]);
    expect(decoder.rejected.map(({ message, error }) => [message, error.code])).toEqual([
      [1, "KEY_WITHOUT_VALUE"],
      [2, "KEY_WITHOUT_VALUE"],
      [3, "KEY_WITHOUT_VALUE"],
    ]);
    expect(decoder.rejected[0]?.column).toBe("id");
    const append = decoderOf(debeziumJson, bindingOf({ mode: "append" }), true);
    expect(rowsOf(append.decode([messages[1] as TestMessage]))).toHaveLength(1);
  });

  it("leave no row behind, not even the first half of a key change", () => {
    const decoder = decoderOf(debeziumJson, bindingOf({ columns: { n: "int" } }), true);
    const good = (id: number, rest: object = {}) => ({ key: { id }, value: change("c", null, { id, ...rest }) });
    const batches = decoder.decode([
      good(1, { n: null }),
      { key: { id: 9 }, value: change("u", { id: 8, n: 1 }, { id: 9, n: "x" }) },
      good(2, { n: 2 }),
      // The new row brings a column, which ends the batch, before it turns out to be bad.
      { key: { id: 9 }, value: change("u", { id: 8 }, { id: 9, late: true, n: 1.5 }) },
      { key: { id: 9 }, value: change("d", { id: null }, null) },
      { key: `{"id":`, value: null },
      good(3),
    ]);
    expect(rowsOf(batches)).toEqual([
      { op: "insert", after: "1", values: { id: 1n, n: null } },
      { op: "insert", after: "3", values: { id: 2n, n: 2 } },
      { op: "delete", after: "5", values: { id: 9n, n: ABSENT, late: ABSENT } },
      { op: "insert", after: "7", values: { id: 3n, n: ABSENT, late: ABSENT } },
    ]);
    expect(decoder.rejected.map(({ message, error, column }) => [message, error.code, column])).toEqual([
      [1, "VALUE_MISMATCH", "n"],
      [3, "VALUE_MISMATCH", "n"],
      [5, "MALFORMED_JSON", null],
    ]);
    expect(decoder.rejected[0]?.error.message).toContain("offset 1");
  });

  it("are those of bad data, not of a job that asks for what cannot be", () => {
    const decoder = decoderOf(debeziumJson, bindingOf({ columns: { id: "unknown" } }), true);
    expect(errorOf(() => decoder.decode([{ value: change("c", null, { id: 1 }) }]))).toMatchObject({ kind: "config" });
  });
});

describe("malformed messages", () => {
  const good = `{"before":null,"after":{"id":1,"name":"x"},"source":{"lsn":1},"op":"c","ts_ms":1}`;

  it.each([
    ["trailing junk", `${good}x`],
    ["a second value", `${good}{}`],
    ["a leading zero", good.replace('"id":1', '"id":01')],
    ["a missing comma", good.replace('1,"name"', '1 "name"')],
    ["a comma before the end", good.replace('"x"}', '"x",}')],
    ["a control character", good.replace("x", "\u0001")],
    ["no value at all", ""],
    ["an array", "[1]"],
    ["a number", "12"],
    ["broken source", good.replace('{"lsn":1}', '{"lsn":}')],
    ["nesting beyond reason", good.replace('{"lsn":1}', "[".repeat(100_000))],
    ["an op of two letters", good.replace('"c"', '"cc"')],
    ["after as text", good.replace('{"id":1,"name":"x"}', '"{}"')],
    ["two afters", good.replace('"source"', '"after":{"id":2},"source"')],
  ])("are refused: %s", (_, text) => {
    const error = errorOf(() => decoderOf(debeziumJson).decode([{ value: good }, { value: text }]));
    expect(error).toMatchObject({ kind: "data", code: "MALFORMED_JSON" });
    expect(error.message).toMatch(/^stream shop\.public\.orders, split shop\.public\.orders\/0, offset 1: /);
    expect(error.message).toMatch(/at byte \d+ of the value/);
  });

  it("are refused wherever they are cut", () => {
    for (let length = 0; length < good.length; length++) {
      const decoder = decoderOf(debeziumJson);
      // What follows in the slab must not complete the message.
      const error = errorOf(() => decoder.decode([{ value: good.slice(0, length) }, { value: good.slice(length) }]));
      expect(error.code, good.slice(0, length)).toBe("MALFORMED_JSON");
    }
  });

  it("are refused with invalid UTF-8 in a value", () => {
    const bytes = Buffer.from(good);
    bytes[bytes.indexOf("x")] = 0xff;
    const error = errorOf(() => decoderOf(debeziumJson).decode([{ value: new Uint8Array(bytes) }]));
    expect(error.message).toContain("expected valid UTF-8 at byte 39 of the value");
  });

  it("leave the decoder usable", () => {
    const decoder = decoderOf(debeziumJson);
    errorOf(() => decoder.decode([{ value: good }, { value: good.slice(0, 40) }]));
    const rows = rowsOf(decoder.decode([{ value: good }]));
    expect(rows.map((row) => row.values)).toEqual([{ id: 1n, name: "x" }]);
  });
});
