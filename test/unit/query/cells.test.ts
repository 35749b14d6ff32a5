import { DuckDBInstance, type DuckDBType, type DuckDBValue } from "@duckdb/node-api";
import { expect, it } from "vitest";
import { cellPrinter } from "../../../src/query/cells.ts";

/** The value of a DuckDB expression, as JSON and as text. */
async function printed(expression: string): Promise<[json: string, text: string]> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const reader = await connection.runAndReadAll(`SELECT ${expression}`);
  const printer = cellPrinter(reader.columnTypes()[0] as DuckDBType);
  const value = reader.getRows()[0]![0] as DuckDBValue;
  connection.closeSync();
  instance.closeSync();
  return [printer.json(value), printer.text(value)];
}

it.each([
  ["9007199254740991::BIGINT", "9007199254740991", "9007199254740991"],
  ["9007199254740993::BIGINT", '"9007199254740993"', "9007199254740993"],
  ["'-170141183460469231731687303715884105728'::HUGEINT", '"-170141183460469231731687303715884105728"', null],
  ["12.30::DECIMAL(9,2)", "12.30", "12.30"],
  ["-0.05::DECIMAL(9,2)", "-0.05", "-0.05"],
  ["1234567890123.45::DECIMAL(20,2)", "1234567890123.45", null],
  ["12345678901234.56::DECIMAL(20,2)", '"12345678901234.56"', "12345678901234.56"],
  ["0.1::FLOAT", "0.1", "0.1"],
  ["16777217::FLOAT", "16777216", "16777216"],
  ["3.4028234663852886e38::FLOAT", "3.4028235e+38", null],
  ["0.1::DOUBLE + 0.2::DOUBLE", "0.30000000000000004", null],
  ["'-inf'::DOUBLE", '"-Infinity"', "-Infinity"],
  ["TIMESTAMPTZ '2026-11-20 10:00:00.5+01:00'", '"2026-11-20T09:00:00.5Z"', "2026-11-20 09:00:00.5Z"],
  ["TIMESTAMP '2026-11-20 09:00:00'", '"2026-11-20T09:00:00"', "2026-11-20 09:00:00"],
  ["'infinity'::TIMESTAMPTZ", '"infinity"', null],
  ["DATE '1969-12-31'", '"1969-12-31"', "1969-12-31"],
  ["'a\"b\n\t\u0007'", '"a\\"b\\n\\t\\u0007"', 'a"b\\n\\t\\u0007'],
  ["'\\x00\\xFF'::BLOB", '"AP8="', "\\x00\\xFF"],
  ["NULL::INTEGER", "null", ""],
  ["[1, NULL, 9007199254740993]", '[1,null,"9007199254740993"]', null],
  ["{'a': 1.5::DECIMAL(3,1), 'b': [true]}", '{"a":1.5,"b":[true]}', null],
  ["MAP {'k': 1, '__proto__': 2}", '{"k":1,"__proto__":2}', null],
  ["MAP {1: 'a'}", '[{"key":1,"value":"a"}]', null],
  ["INTERVAL 1 DAY", '"1 day"', "1 day"],
])("%s", async (expression, json, text) => {
  const [foundJson, foundText] = await printed(expression);
  expect(foundJson).toBe(json);
  if (text !== null) expect(foundText).toBe(text);
  expect(() => JSON.parse(foundJson) as unknown).not.toThrow();
});
