import { BIGINT, BOOLEAN, type DuckDBType, type DuckDBValue, DuckDBInstance, VARCHAR } from "@duckdb/node-api";
import { tableFromIPC, tableToIPC } from "apache-arrow";
import fc from "fast-check";
import { expect, it } from "vitest";
import { arrowBatch, arrowSchema, arrowTable } from "../../../src/query/arrow-table.ts";

/** The rows of a statement as Arrow, through Arrow's own stream format. */
async function arrowOf(sql: string, required: readonly string[] = []) {
  const connection = await (await DuckDBInstance.create(":memory:")).connect();
  const result = await connection.stream(`SET TimeZone = 'UTC'; ${sql}`);
  const types: readonly DuckDBType[] = result.columnTypes();
  const schema = arrowSchema({ names: result.columnNames(), types, required: new Set(required) });
  const rows: DuckDBValue[][] = [];
  for await (const chunk of result.yieldRows()) rows.push(...chunk);
  // Two batches: what is the case in the first must not be taken for the second.
  const batches = [rows.slice(0, 1), rows.slice(1)].map((part) => arrowBatch(schema, part));
  return tableFromIPC(tableToIPC(arrowTable(schema, batches), "stream"));
}

const CASES: readonly [
  type: string,
  arrow: string,
  values: readonly (string | null)[],
  expected: readonly unknown[],
][] = [
  ["BOOLEAN", "Bool", ["true", null, "false"], [true, null, false]],
  ["INTEGER", "Int32", ["-2147483648", null, "7"], [-2147483648, null, 7]],
  ["BIGINT", "Int64", ["9007199254740993", "-9223372036854775808", null], [9007199254740993n, -(2n ** 63n), null]],
  ["FLOAT", "Float32", ["1.5", null, "'-inf'"], [1.5, null, -Infinity]],
  ["DOUBLE", "Float64", ["0.1", "'nan'", null], [0.1, Number.NaN, null]],
  ["TIME", "Time64<MICROSECOND>", ["'23:59:59.999999'", null], [86_399_999_999n, null]],
  ["VARCHAR", "Utf8", ["'añ😀'", "''", null, "'x'"], ["añ😀", "", null, "x"]],
  ["BLOB", "Binary", ["'\\x00\\xFF'", null, "''"], [Uint8Array.of(0, 255), null, Uint8Array.of()]],
  [
    "UUID",
    "FixedSizeBinary[16]",
    ["'ffeeddcc-bbaa-9988-7766-554433221100'", null],
    [Uint8Array.from({ length: 16 }, (_, index) => 0xff - index * 0x11), null],
  ],
  ["INTEGER[]", "List<Int32>", ["[1, NULL]", null, "[]", "[3]"], [[1, null], null, [], [3]]],
];

it.each(CASES)("%s becomes %s", async (type, arrow, values, expected) => {
  const rows = values.map((value) => `(${value === null ? "NULL" : `(${value})`}::${type})`).join(", ");
  const table = await arrowOf(`SELECT v FROM (VALUES ${rows}) t(v)`);
  expect(String(table.schema.fields[0]?.type)).toBe(arrow);
  const found = [...table.getChild("v")!].map((value: unknown) =>
    typeof value === "object" && value !== null && "toJSON" in value
      ? (value as { toJSON(): unknown }).toJSON()
      : value,
  );
  expect(found).toEqual(expected);
  expect(table.getChild("v")!.nullCount).toBe(values.filter((value) => value === null).length);
});

it("keeps every digit of decimals and times", async () => {
  const table = await arrowOf(`SELECT
    '-99999999999999999999999999999999999.999'::DECIMAL(38,3) AS d, '12.50'::DECIMAL(9,2) AS small,
    TIMESTAMP '1969-12-31 23:59:59.999999' AS ts, TIMESTAMPTZ '2026-11-20 09:00:00.000001+02' AS tz,
    '2026-11-20 09:00:00.123456789'::TIMESTAMP_NS AS ns, DATE '1969-12-31' AS day`);
  expect(table.schema.fields.map(String)).toEqual([
    "d: Decimal[38e+3]",
    "small: Decimal[9e+2]",
    "ts: Timestamp<MICROSECOND>",
    "tz: Timestamp<MICROSECOND, UTC>",
    "ns: Timestamp<NANOSECOND>",
    "day: Date32<DAY>",
  ]);
  const raw = (name: string) => table.getChild(name)!.data[0]!.values as BigInt64Array;
  const halves = new BigInt64Array(new Uint32Array(raw("d") as never).buffer);
  expect((halves[1]! << 64n) | BigInt.asUintN(64, halves[0]!)).toBe(
    -99_999_999_999_999_999_999_999_999_999_999_999_999n,
  );
  expect(raw("ts")[0]).toBe(-1n);
  expect(raw("tz")[0]).toBe(BigInt(Date.parse("2026-11-20T07:00:00Z")) * 1_000n + 1n);
  expect(raw("ns")[0]).toBe(BigInt(Date.parse("2026-11-20T09:00:00Z")) * 1_000_000n + 123_456_789n);
  expect(raw("day")[0]).toBe(-1);
});

it("holds structs and maps, and says what is never null", async () => {
  const table = await arrowOf(
    `SELECT 1::BIGINT AS id, {'a': 1, 'b': 'x'} AS s, MAP {'k': 5, 'l': NULL} AS m UNION ALL SELECT 2, NULL, NULL`,
    ["id"],
  );
  expect(table.schema.fields.map(({ nullable }) => nullable)).toEqual([false, true, true]);
  expect(JSON.stringify(table.getChild("s")?.get(0))).toBe('{"a":1,"b":"x"}');
  expect(table.getChild("s")?.get(1)).toBeNull();
  expect(JSON.stringify(table.getChild("m")?.get(0))).toBe('{"k":5,"l":null}');
  expect(table.getChild("m")?.get(1)).toBeNull();
});

it("knows its columns without rows, and refuses types that Arrow lacks", async () => {
  const table = await arrowOf("SELECT 1::BIGINT AS id WHERE false");
  expect([table.numRows, String(table.schema)]).toEqual([0, "Schema<{ 0: id: Int64 }>"]);
  await expect(arrowOf("SELECT INTERVAL 1 DAY AS v")).rejects.toMatchObject({ code: "UNSUPPORTED_TYPE" });
});

it("gives back any values, nulls where they were", () => {
  const columns = { names: ["l", "b", "s"], types: [BIGINT, BOOLEAN, VARCHAR], required: new Set<string>() };
  const schema = arrowSchema(columns);
  const value = fc.tuple(
    fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
    fc.option(fc.boolean()),
    fc.option(fc.string({ unit: "grapheme" })),
  );
  fc.assert(
    fc.property(fc.array(value, { maxLength: 70 }), (rows) => {
      const table = tableFromIPC(tableToIPC(arrowTable(schema, [arrowBatch(schema, rows)]), "stream"));
      const found = table.toArray().map((row) => [row?.["l"], row?.["b"], row?.["s"]] as unknown[]);
      expect(found).toEqual(rows);
    }),
  );
});
