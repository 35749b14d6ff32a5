import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { canalJson } from "../../../src/formats/canal-json/format.ts";
import { ABSENT, rowsOf } from "../../support/batch-rows.ts";
import { bindingOf, decoderOf } from "../../support/decoding.ts";
import type { TestMessage } from "../../support/slab.ts";

function messagesOf(name: string): TestMessage[] {
  const text = readFileSync(new URL(name, import.meta.url), "utf8");
  return text
    .split("\n")
    .slice(0, -1)
    .map((value) => ({ value }));
}

const valuesOf = <T>(names: readonly string[], value: T): Record<string, T> =>
  Object.fromEntries(names.map((name) => [name, value]));

describe("Canal", () => {
  const first = {
    id: `${2n ** 64n - 1n}e-0`,
    tiny: 2,
    small: 65_535,
    medium: 16_777_215,
    number: -(2 ** 31),
    counter: 2n ** 32n - 1n,
    total: "-123456789005e-2",
    exact: "12345678901234567890123456789012345.123456789012345678901234567891",
    ratio: Math.fround(5.18),
    rate: Number.MAX_VALUE,
    born: -354_285,
    created: BigInt(Date.UTC(2024, 1, 29, 23, 59, 59)) * 1000n,
    moved: BigInt(Date.UTC(9999, 11, 31, 23, 59, 59, 999)) * 1000n + 999n,
    updated: BigInt(Date.UTC(2024, 2, 31, 2, 30, 0, 125)) * 1000n,
    wakes: 86_399_999_999n,
    vintage: 1999,
    status: "paid, sent",
    flags: "gift,x,y",
    mask: 4095n,
    doc: '{"a": [1, 2.50]}',
    code: "ab",
    name: 'Zürich — "q" \\ 😀\n',
    body: "",
    token: "01ff0000",
    raw: "0080ff",
    photo: "ffd8ffe0",
    place: "0000000001",
  };
  const names = Object.keys(first);
  const empty = { ...valuesOf(names, null), id: "7e-0", status: "2", flags: "" };
  const second = { ...empty, id: "8e-0", name: "eight" };
  const gone = (id: string, more: readonly string[] = []) => ({ ...valuesOf([...names, ...more], ABSENT), id });

  it("tells its story", () => {
    const decoder = decoderOf(canalJson, bindingOf({ target: "lake.orders" }));
    const batches = decoder.decode(messagesOf("mysql.jsonl"));
    expect(batches.map((batch) => batch.key)).toEqual([["id"], ["id"]]);
    expect(rowsOf(batches)).toEqual([
      { op: "insert", after: "2", values: first },
      { op: "insert", after: "2", values: empty },
      { op: "insert", after: "2", values: second },
      { op: "update", after: "3", values: { ...empty, name: "seven" } },
      { op: "update", after: "3", values: { ...second, tiny: 1 } },
      { op: "delete", after: "4", values: gone("8e-0") },
      { op: "insert", after: "4", values: { ...second, id: "9e-0", tiny: 1 } },
      { op: "insert", after: "8", values: { ...empty, id: "10e-0", note: "new" } },
      { op: "delete", after: "9", values: gone("7e-0", ["note"]) },
      { op: "delete", after: "9", values: gone(first.id, ["note"]) },
      { op: "truncate", after: "10", values: valuesOf([...names, "note"], ABSENT) },
    ]);
    expect(decoder.skipped).toMatchObject({ statement: 3, rowless: 1 });
    expect(decoder.statements).toEqual(["CREATE", "ALTER"]);
  });

  it("has the types that it declares", () => {
    const fields = decoderOf(canalJson).decode(messagesOf("mysql.jsonl"))[0]?.fields;
    expect(fields?.map((field) => field.type.kind).join(" ")).toBe(
      "decimal int int int int long decimal string float double date timestamp timestamp timestamp time int string string long string string string string binary binary binary binary",
    );
  });
});

it("TiCDC tells its story", () => {
  const decoder = decoderOf(canalJson, bindingOf(), true);
  const rows = rowsOf(decoder.decode(messagesOf("ticdc.jsonl")));
  expect(rows).toEqual([
    { op: "insert", after: "1", values: { id: 1, state: "b", big: `${2n ** 64n - 1n}e-0` } },
    { op: "update", after: "3", values: { id: 1, state: "a", big: "0e-0" } },
    { op: "delete", after: "4", values: { id: 1, state: ABSENT, big: ABSENT } },
  ]);
  expect(decoder.skipped).toMatchObject({ watermark: 1 });
  expect(decoder.rejected.map(({ message, error }) => [message, error.code])).toEqual([[4, "ROW_LEFT_OUT"]]);
});

it("Flink tells its story", () => {
  const decoder = decoderOf(canalJson, bindingOf({ key: ["id"], columns: { id: "int", weight: "float" } }));
  const scooter = { id: 111, name: "scooter", weight: Math.fround(5.15) };
  const later = { ...scooter, weight: Math.fround(5.18) };
  expect(rowsOf(decoder.decode(messagesOf("flink.jsonl")))).toEqual([
    { op: "insert", after: "1", values: scooter },
    { op: "delete", after: "2", values: { id: 111, name: ABSENT, weight: ABSENT } },
    { op: "insert", after: "3", values: later },
    { op: "update", after: "4", values: { ...later, description: "Big 2-wheel scooter" } },
  ]);
  expect(decoder.inferred.map((column) => column.name)).toEqual(["name"]);
});
