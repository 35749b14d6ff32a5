import type { DecodedArray, SchemaElement } from "hyparquet";
import { expect, it } from "vitest";
import { createBuilder } from "../../../../table-format/arrow/builder.ts";
import { physicalAppender } from "../../../../table-format/parquet/physical-reader.ts";
import type { PrimitiveType } from "../../../../table-format/schema/types.ts";
import { valuesOf } from "../columns.ts";

const read = (type: PrimitiveType, element: Partial<SchemaElement>, values: DecodedArray): unknown[] => {
  const builder = createBuilder(type);
  const append = physicalAppender(type, { name: "c", ...element });
  for (let k = 0; k < values.length; k++) append(builder, values, k);
  return valuesOf(builder.finish());
};

const TIMESTAMP: PrimitiveType = { kind: "timestamp" };
const NANOS: PrimitiveType = { kind: "timestamp_ns" };
const DECIMAL: PrimitiveType = { kind: "decimal", precision: 38, scale: 2 };

/** Julian day in the high word, nanoseconds of the day in the low one, as hyparquet gives INT96. */
const int96 = (day: bigint, nanos: bigint): bigint => (day << 64n) | nanos;

it("reads INT96 timestamps", () => {
  // 2020-01-01 is day 2458850; the day before 1970-01-01 is 2440587.
  const values = [int96(2_458_850n, 43_200_000_000_001n), int96(2_440_587n, 86_399_999_999_999n)];
  expect(read(NANOS, { type: "INT96" }, values)).toEqual([1_577_880_000_000_000_001n, -1n]);
  expect(read(TIMESTAMP, { type: "INT96" }, values)).toEqual([1_577_880_000_000_000n, -1n]);
});

it("reads times and timestamps in other units, rounded to the past", () => {
  const nanos = { type: "TIMESTAMP", unit: "NANOS", isAdjustedToUTC: true } as const;
  const values = BigInt64Array.of(-1n, -1000n, 1999n);
  expect(read(TIMESTAMP, { type: "INT64", logical_type: nanos }, values)).toEqual([-1n, -1n, 1n]);
  const millis: Partial<SchemaElement> = { type: "INT64", converted_type: "TIMESTAMP_MILLIS" };
  expect(read(NANOS, millis, BigInt64Array.of(-1n))).toEqual([-1_000_000n]);
  const time: Partial<SchemaElement> = { type: "INT32", converted_type: "TIME_MILLIS" };
  expect(read({ kind: "time" }, time, Int32Array.of(86_399_999))).toEqual([86_399_999_000n]);
  expect(() => read(NANOS, millis, BigInt64Array.of(2n ** 62n))).toThrow(expect.objectContaining({ kind: "data" }));
});

it("reads decimals of any width", () => {
  const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"));
  const values = ["", "ff", "00ff", "80", "ffffffffffffffffff01", `${"ff".repeat(18)}80`, `7f${"ff".repeat(15)}`];
  expect(read(DECIMAL, { type: "BYTE_ARRAY", scale: 2 }, values.map(bytes))).toEqual([
    0n,
    -1n,
    255n,
    -128n,
    -255n,
    -128n,
    2n ** 127n - 1n,
  ]);
  expect(read(DECIMAL, { type: "INT32", scale: 2 }, Int32Array.of(-5))).toEqual([-5n]);
  expect(() => read(DECIMAL, { type: "INT32", scale: 3 }, Int32Array.of(1))).toThrow("expected decimal");
});

it("refuses narrowing and other types", () => {
  expect(() => read({ kind: "int" }, { type: "INT64" }, BigInt64Array.of(1n))).toThrow("expected int, found INT64");
  expect(() => read({ kind: "float" }, { type: "DOUBLE" }, [1])).toThrow("expected float");
  expect(() => read({ kind: "uuid" }, { type: "FIXED_LEN_BYTE_ARRAY", type_length: 8 }, [])).toThrow("expected uuid");
});
