import { describe, expect, it } from "vitest";
import { FrazilError } from "../../../../src/core/errors.ts";
import { json } from "../../../../src/formats/json/format.ts";
import { ABSENT, rowsOf } from "../../../support/batch-rows.ts";
import { bindingOf, decoderOf, routedDecoder } from "../../../support/decoding.ts";

function errorOf(work: () => unknown): FrazilError {
  try {
    work();
  } catch (error) {
    if (error instanceof FrazilError) return error;
  }
  throw new Error("nothing was refused");
}

describe("records", () => {
  it("are inserts, with columns as they come", () => {
    const decoder = decoderOf(json, bindingOf({ mode: "append" }));
    const batches = decoder.decode([
      { value: '{"id":9007199254740993,"name":"a","ok":true,"price":1.5,"gone":null}' },
      { value: ' { "price" : 2 , "id" : 1 } ' },
      { value: "{}" },
      { value: '{"id":3,"__proto__":"p","Idem":4," ":"blank","constructor":false}' },
    ]);
    expect(batches.map((batch) => batch.key)).toEqual([null, null]);
    expect(rowsOf(batches).map(({ op, after }) => [op, after])).toEqual([
      ["insert", "1"],
      ["insert", "2"],
      ["insert", "3"],
      ["insert", "4"],
    ]);
    const [first, second, third] = rowsOf(batches).map((row) => row.values);
    expect(first).toEqual({ id: 2n ** 53n + 1n, name: "a", ok: true, price: 1.5 });
    expect(second).toEqual({ id: 1n, name: ABSENT, ok: ABSENT, price: 2 });
    expect(third).toEqual({ id: ABSENT, name: ABSENT, ok: ABSENT, price: ABSENT });
    expect(batches[1]?.fields.map((field) => field.name)).toEqual([
      ..."id name ok price __proto__ Idem".split(" "),
      " ",
      "constructor",
    ]);
    expect(decoder.inferred.map((column) => `${column.name} ${column.type.kind}`)).toEqual([
      "id long",
      "name string",
      "ok boolean",
      "price double",
      "__proto__ string",
      "Idem long",
      "  string",
      "constructor boolean",
    ]);
  });

  it("take types from columns: before the table's before inference", () => {
    const settings = {
      columns: { total: "decimal(18,2)", doc: "string" },
      existing: { total: "double", at: "timestamptz" },
    };
    const decoder = decoderOf(json, bindingOf({ mode: "append", ...settings }));
    const value = '{"total":"12.30","at":"2024-02-29T12:00:00+01:00","doc":{"a": [1,2]},"n":1}';
    expect(rowsOf(decoder.decode([{ value }])).map((row) => row.values)).toEqual([
      { total: "1230e-2", at: BigInt(Date.UTC(2024, 1, 29, 11)) * 1000n, doc: '{"a": [1,2]}', n: 1n },
    ]);
    expect(decoder.inferred.map((column) => column.name)).toEqual(["n"]);
  });

  it("hold any text, also Debezium's placeholder", () => {
    const decoder = decoderOf(json, bindingOf({ mode: "append" }));
    const rows = rowsOf(decoder.decode([{ value: { a: "__debezium_unavailable_value" } }]));
    expect(rows[0]?.values).toEqual({ a: "__debezium_unavailable_value" });
  });
});

describe("a message without value", () => {
  const binding = bindingOf({ key: ["id", "region"] });

  it("deletes the row of its message key, also as the table's first", () => {
    for (const first of [[], [{ value: { id: 1, region: "eu", name: "a" } }]]) {
      const decoder = decoderOf(json, binding);
      const rows = rowsOf(
        decoder.decode([...first, { key: ' {"region":"eu","more":[1],"id":1} ', value: null }]),
      ).slice(first.length);
      const rest = first.length === 0 ? {} : { name: ABSENT };
      expect(rows).toEqual([
        { op: "delete", after: String(first.length + 1), values: { id: 1n, region: "eu", ...rest } },
      ]);
    }
  });

  it.each([
    ["none", null],
    ["a text", "k1"],
    ["a part", { id: 1 }],
    ["null for a part", { id: 1, region: null }],
  ])("is refused with %s as key", (_, key) => {
    const error = errorOf(() => decoderOf(json, binding).decode([{ key, value: null }]));
    expect([error.kind, error.code]).toEqual(["data", "DELETE_WITHOUT_KEY"]);
    expect(error.message).toMatch(
      /^stream shop\.public\.orders, split shop\.public\.orders\/0, offset 0: .*id, region/,
    );
  });

  it("is refused with a malformed key", () => {
    const error = errorOf(() => decoderOf(json, binding).decode([{ key: '{"id":1,"region":"eu"}}', value: null }]));
    expect(error.message).toMatch(/expected the end of the key at byte 22 of the key/);
  });

  it("is refused by append tables", () => {
    const decoder = decoderOf(json, bindingOf({ mode: "append" }));
    expect(errorOf(() => decoder.decode([{ key: { id: 1 }, value: null }])).code).toBe("NO_VALUE");
  });
});

describe("bad records", () => {
  const bad: [name: string, value: string | Uint8Array, code: string, column: string | null][] = [
    ["empty", "", "MALFORMED_JSON", null],
    ["cut off", '{"id":1', "MALFORMED_JSON", null],
    ["followed by more", '{"id":1}{"id":2}', "MALFORMED_JSON", null],
    ["an array", '[{"id":1}]', "MALFORMED_JSON", null],
    ["a scalar", "1", "MALFORMED_JSON", null],
    [
      "no UTF-8",
      new Uint8Array([...Buffer.from('{"id":1,"name":"'), 0xff, ...Buffer.from('"}')]),
      "MALFORMED_JSON",
      "name",
    ],
    ["nested too deep", `{"id":1,"name":${"[".repeat(10_000)}${"]".repeat(10_000)}}`, "MALFORMED_JSON", "name"],
    ["with a key twice", '{"id":1,"id":2}', "MALFORMED_JSON", "id"],
    ["with a nested value", '{"id":1,"new":{"a":1}}', "COLUMN_TYPE_REFUSED", null],
    ["with a value of another type", '{"id":1,"name":5}', "VALUE_MISMATCH", "name"],
    ["with an integer beyond int64", '{"id":9223372036854775808}', "VALUE_MISMATCH", "id"],
    ["without key", '{"name":"x"}', "KEY_WITHOUT_VALUE", "id"],
    ["with a null key", '{"id":null,"name":"x"}', "KEY_WITHOUT_VALUE", "id"],
  ];

  it.each(bad)("%s are handed over, and leave no row behind", (_, value, code, column) => {
    const binding = bindingOf({ key: ["id"] });
    const good = (id: number) => ({ value: { id, name: `n${id}` } });
    const decoder = decoderOf(json, binding, true);
    const rows = rowsOf(decoder.decode([good(1), { value }, good(2), { value }, good(3)]));
    expect(rows.map(({ after, values }) => [after, values["id"], values["name"]])).toEqual([
      ["1", 1n, "n1"],
      ["3", 2n, "n2"],
      ["5", 3n, "n3"],
    ]);
    expect(decoder.rejected.map(({ message, error }) => [message, error.kind, error.code])).toEqual([
      [1, "data", code],
      [3, "data", code],
    ]);
    if (column !== null && code !== "MALFORMED_JSON") expect(decoder.rejected[0]?.column).toBe(column);
    const thrown = errorOf(() => decoderOf(json, binding).decode([good(1), { value }]));
    expect([thrown.code, thrown.message]).toEqual([code, expect.stringContaining("offset 1")]);
  });
});

it("a topic that no entry takes is skipped and counted", () => {
  const decoder = routedDecoder(json, { byStream: () => null, route: () => null });
  expect(decoder.decode([{ value: { id: 1 } }, { value: "no JSON" }])).toEqual([]);
  expect(decoder.decode([{ value: { id: 1 } }])).toEqual([]);
  expect([decoder.unrouted, decoder.skipped]).toEqual([[null], { unrouted: 3 }]);
});
