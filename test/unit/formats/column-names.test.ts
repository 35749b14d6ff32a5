import { describe, expect, it } from "vitest";
import type { Format } from "../../../src/core/format.ts";
import { canalJson } from "../../../src/formats/canal-json/format.ts";
import { debeziumJson } from "../../../src/formats/debezium-json/format.ts";
import { json } from "../../../src/formats/json/format.ts";
import { rowsOf } from "../../support/batch-rows.ts";
import { bindingOf, decoderOf } from "../../support/decoding.ts";

type Row = Readonly<Record<string, number>>;

const canal = (row: Row, more: object = {}) => ({
  data: [row],
  database: "shop",
  table: "orders",
  type: "INSERT",
  isDdl: false,
  old: null,
  pkNames: ["id"],
  ...more,
});
const debezium = (row: Row) => ({ before: null, after: row, op: "c" });

const FORMATS: readonly [string, Format, (row: Row) => unknown][] = [
  ["json", json, (row) => row],
  ["debezium-json", debeziumJson, debezium],
  [
    "debezium-json with a schema",
    debeziumJson,
    (row) => {
      const fields = Object.keys(row).map((field) => ({ field, type: "int64", optional: true }));
      const image = (field: string) => ({ field, type: "struct", optional: true, fields });
      return {
        schema: { type: "struct", fields: [image("before"), image("after"), { field: "op", type: "string" }] },
        payload: debezium(row),
      };
    },
  ],
  ["canal-json", canalJson, (row) => canal(row)],
  [
    "canal-json with types",
    canalJson,
    (row) => canal(row, { mysqlType: Object.fromEntries(Object.keys(row).map((name) => [name, "bigint"])) }),
  ],
];

// DuckDB called the second column `ID_1` and Spark refused the table: both take the two for one.
describe.each(FORMATS)("columns of %s whose names readers do not tell apart", (_, format, message) => {
  it("make a bad message that names both; the others arrive", () => {
    const decoder = decoderOf(format, bindingOf({ mode: "append" }), true);
    const batches = decoder.decode([
      { value: message({ id: 1 }) },
      { value: message({ id: 2, ID: 3 }) },
      { value: message({ Id: 4 }) },
      { value: message({ id: 5, other: 6 }) },
    ]);
    expect(decoder.rejected.map(({ message: at, error }) => [at, error.code])).toEqual([
      [1, "COLUMN_CASE"],
      [2, "COLUMN_CASE"],
    ]);
    expect(decoder.rejected[0]?.error.message).toMatch(/column "ID" of shop\.orders.*"id" beside it/);
    expect(rowsOf(batches).map(({ values }) => values["id"])).toEqual([1n, 5n]);
  });

  // One message with an empty name made the table unreadable: DuckDB has no way to write it.
  it("or that are empty or hold NUL make a bad message", () => {
    const decoder = decoderOf(format, bindingOf({ mode: "append" }), true);
    const values = [{ id: 1 }, { id: 2, "": 3 }, { id: 4, "a\0b": 5 }, { id: 6 }].map(message);
    const batches = decoder.decode(values.map((value) => ({ value })));
    expect(decoder.rejected.map(({ message: at, error }) => [at, error.code])).toEqual([
      [1, "COLUMN_NAME"],
      [2, "COLUMN_NAME"],
    ]);
    expect(rowsOf(batches).map(({ values: row }) => row)).toEqual([{ id: 1n }, { id: 6n }]);
  });

  it("are held against the table's columns", () => {
    const decoder = decoderOf(format, bindingOf({ mode: "append", existing: { Id: "long", Été: "long" } }), true);
    decoder.decode([{ value: message({ id: 1 }) }, { value: message({ Id: 2 }) }, { value: message({ été: 1 }) }]);
    expect(decoder.rejected.map(({ message: at }) => at)).toEqual([0, 2]);
    expect(decoder.rejected[0]?.error.message).toMatch(/column "id" of shop\.orders.*"Id" beside it/);
  });
});
