import { describe, expect, it } from "vitest";
import { FrazilError } from "../../../../src/core/errors.ts";
import { debeziumJson } from "../../../../src/formats/debezium-json/format.ts";
import { typeText } from "../../../../table-format/index.ts";
import { rowsOf } from "../../../support/batch-rows.ts";
import { bindingOf, decoderOf } from "../../../support/decoding.ts";

interface Field {
  readonly type: string;
  readonly name?: string;
  readonly optional?: boolean;
  readonly parameters?: Record<string, string>;
  readonly fields?: unknown;
}

/** An insert with its schema: one column `x`. */
function described(field: Field, value: unknown): { value: unknown } {
  const x = { optional: true, ...field, field: "x" };
  const image = (name: string) => ({ type: "struct", fields: [x], optional: true, name: "shop.Value", field: name });
  const op = { type: "string", optional: false, field: "op" };
  return {
    value: JSON.stringify({
      schema: { type: "struct", fields: [image("before"), image("after"), op], optional: false, name: "shop.Envelope" },
      payload: { before: null, after: { x: "VALUE" }, op: "c" },
    }).replace(
      '"VALUE"',
      typeof value === "string" && value.startsWith("raw:") ? value.slice(4) : JSON.stringify(value),
    ),
  };
}

/** An insert without schema: one column `x`, its value as JSON text. */
function plain(json: string): { value: string } {
  return { value: `{"before":null,"after":{"x":${json}},"op":"c"}` };
}

/** Type and value of the column `x`; code and hint of the error where it is refused. */
function decoded(
  message: { value: unknown },
  columns: Record<string, string> = {},
  existing: Record<string, string> = {},
) {
  try {
    const batches = decoderOf(debeziumJson, bindingOf({ columns, existing })).decode([message]);
    const field = batches[0]?.fields[0];
    return [field === undefined ? null : typeText(field.type), rowsOf(batches)[0]?.values["x"]];
  } catch (error) {
    if (error instanceof FrazilError) return [error.code, error.hint];
    throw error;
  }
}

const base64 = (...bytes: number[]) => Buffer.from(bytes).toString("base64");
const DECIMAL = "org.apache.kafka.connect.data.Decimal";
const NS_2024 = 1_704_164_645_123_456_789n;

describe("declared by the schema in the message", () => {
  it.each<[Field, unknown, string, unknown]>([
    [{ type: "boolean" }, true, "boolean", true],
    [{ type: "int8" }, -128, "int", -128],
    [{ type: "int16" }, 32_767, "int", 32_767],
    [{ type: "int32" }, -2_147_483_648, "int", -2_147_483_648],
    [{ type: "int64" }, "raw:-9223372036854775808", "long", -(2n ** 63n)],
    [{ type: "int64" }, "raw:9223372036854775807", "long", 2n ** 63n - 1n],
    [{ type: "float" }, 1.1, "float", Math.fround(1.1)],
    [{ type: "double" }, 1e300, "double", 1e300],
    [{ type: "double" }, "NaN", "double", NaN],
    [{ type: "float" }, "-Infinity", "float", -Infinity],
    [{ type: "string" }, "é", "string", "é"],
    [{ type: "bytes" }, base64(0, 255, 16), "binary", "00ff10"],
    [{ type: "bytes", name: "io.debezium.data.Bits", parameters: { length: "12" } }, base64(1, 8), "binary", "0108"],
    [{ type: "int32", name: "io.debezium.time.Date" }, 19_724, "date", 19_724],
    [{ type: "int32", name: "org.apache.kafka.connect.data.Date" }, -1, "date", -1],
    [{ type: "int32", name: "io.debezium.time.Time" }, 3_600_001, "time", 3_600_001_000n],
    [{ type: "int32", name: "org.apache.kafka.connect.data.Time" }, 0, "time", 0n],
    [{ type: "int64", name: "io.debezium.time.MicroTime" }, 86_399_999_999, "time", 86_399_999_999n],
    [{ type: "int64", name: "io.debezium.time.NanoTime" }, 5_000, "time", 5n],
    [{ type: "int64", name: "io.debezium.time.Timestamp" }, 1_704_164_645_123, "timestamp", 1_704_164_645_123_000n],
    [{ type: "int64", name: "org.apache.kafka.connect.data.Timestamp" }, -1, "timestamp", -1000n],
    [
      { type: "int64", name: "io.debezium.time.MicroTimestamp" },
      1_704_164_645_123_456,
      "timestamp",
      1_704_164_645_123_456n,
    ],
    [{ type: "int64", name: "io.debezium.time.NanoTimestamp" }, `raw:${NS_2024}`, "timestamp_ns", NS_2024],
    [
      { type: "string", name: "io.debezium.time.ZonedTimestamp" },
      "2024-01-02T03:04:05.123456Z",
      "timestamptz",
      1_704_164_645_123_456n,
    ],
    [
      { type: "string", name: "io.debezium.time.ZonedTimestamp" },
      "2024-01-02T05:04:05+02:00",
      "timestamptz",
      1_704_164_645_000_000n,
    ],
    [{ type: "string", name: "io.debezium.time.ZonedTime" }, "04:05:06Z", "string", "04:05:06Z"],
    [{ type: "string", name: "io.debezium.time.IsoDate" }, "2017-09-15Z", "date", 17_424],
    [{ type: "string", name: "io.debezium.time.IsoTime" }, "04:05:11.789Z", "time", 14_711_789_000n],
    [
      { type: "string", name: "io.debezium.time.IsoTimestamp" },
      "2024-01-02T03:04:05Z",
      "timestamp",
      1_704_164_645_000_000n,
    ],
    [{ type: "int32", name: "io.debezium.time.Year" }, 2024, "int", 2024],
    [{ type: "int64", name: "io.debezium.time.MicroDuration" }, 37_091_106_000_000, "long", 37_091_106_000_000n],
    [{ type: "string", name: "io.debezium.time.Interval" }, "P1Y2M3DT4H5M6.78S", "string", "P1Y2M3DT4H5M6.78S"],
    [{ type: "string", name: "io.debezium.data.Json" }, '{"a": 1}', "string", '{"a": 1}'],
    [{ type: "string", name: "io.debezium.data.Xml" }, "<a/>", "string", "<a/>"],
    [{ type: "string", name: "io.debezium.data.Enum", parameters: { allowed: "s,m" } }, "m", "string", "m"],
    [{ type: "string", name: "io.debezium.data.EnumSet", parameters: { allowed: "a,b" } }, "a,b", "string", "a,b"],
    [
      { type: "string", name: "io.debezium.data.Uuid" },
      "123e4567-e89b-12d3-a456-426614174000",
      "uuid",
      "123e4567e89b12d3a456426614174000",
    ],
    [
      { type: "bytes", name: DECIMAL, parameters: { scale: "2", "connect.decimal.precision": "5" } },
      base64(0xcf, 0xc7),
      "decimal(5, 2)",
      "-12345e-2",
    ],
    [
      { type: "bytes", name: DECIMAL, parameters: { scale: "0" } },
      base64(0, 255, 255, 255, 255, 255, 255, 255, 255),
      "decimal(38, 0)",
      `${2n ** 64n - 1n}e-0`,
    ],
    [
      { type: "bytes", name: DECIMAL, parameters: { scale: "2", "connect.decimal.precision": "18" } },
      "raw:12.5",
      "decimal(18, 2)",
      "1250e-2",
    ],
    // PostgreSQL's numeric(3, 5) and numeric(3, -2).
    [
      { type: "bytes", name: DECIMAL, parameters: { scale: "5", "connect.decimal.precision": "3" } },
      base64(1),
      "decimal(5, 5)",
      "1e-5",
    ],
    [
      { type: "bytes", name: DECIMAL, parameters: { scale: "-2", "connect.decimal.precision": "3" } },
      base64(7),
      "decimal(5, 0)",
      "700e-0",
    ],
    [
      { type: "struct", name: "io.debezium.data.VariableScaleDecimal" },
      { scale: 3, value: base64(0xfb, 0x2e) },
      "string",
      "-1.234",
    ],
    [{ type: "int64" }, null, "long", null],
  ])("%j of %j is %s", (field, value, type, expected) => {
    expect(decoded(described(field, value))).toEqual([type, expected]);
  });

  it.each<[Field, unknown]>([
    [{ type: "array" }, [1]],
    [{ type: "map" }, {}],
    [
      { type: "struct", name: "io.debezium.data.geometry.Point" },
      { x: 1, y: 2 },
    ],
    [{ type: "struct", name: "io.debezium.data.geometry.Geometry" }, null],
    [{ type: "bytes", name: DECIMAL, parameters: { scale: "30", "connect.decimal.precision": "65" } }, base64(1)],
  ])("%j is refused by name", (field, value) => {
    const { name = field.type } = field;
    expect(decoded(described(field, value))).toEqual([
      "COLUMN_TYPE_REFUSED",
      expect.stringContaining("columns: { x: string }"),
    ]);
    expect(() => decoderOf(debeziumJson).decode([described(field, value)])).toThrow(
      name === DECIMAL ? "decimal(65, 30)" : name,
    );
  });

  it.each<[Field, unknown, string]>([
    [{ type: "int32" }, "raw:2147483648", "long"],
    [{ type: "int64" }, "raw:9223372036854775808", "decimal(38, 0)"],
    [{ type: "int32" }, "7", "string"],
    [{ type: "string" }, 7, "string"],
    [{ type: "boolean" }, 1, "string"],
    // MySQL's TIME goes below zero and past a day.
    [{ type: "int64", name: "io.debezium.time.MicroTime" }, -45_296_123_456, "long"],
    [{ type: "int64", name: "io.debezium.time.MicroTime" }, 86_400_000_000, "long"],
    [{ type: "int64", name: "io.debezium.time.NanoTime" }, 1, "long"],
    [{ type: "int64", name: "io.debezium.time.Timestamp" }, "raw:9223372036854775807", "long"],
    [{ type: "float" }, 1e39, "double"],
    [{ type: "string", name: "io.debezium.time.ZonedTimestamp" }, "2024-01-02T03:04:05.1234567Z", "timestamptz_ns"],
    [{ type: "string", name: "io.debezium.data.Uuid" }, "x", "string"],
    [
      { type: "bytes", name: DECIMAL, parameters: { scale: "2", "connect.decimal.precision": "2" } },
      base64(100),
      "string",
    ],
  ])("%j of %j is refused, and a type that would hold it named", (field, value, fitting) => {
    expect(decoded(described(field, value))).toEqual([
      "VALUE_MISMATCH",
      expect.stringContaining(`columns: { x: ${fitting} }`),
    ]);
  });

  it("wins over the table, and `columns:` wins over it", () => {
    const message = described({ type: "int32" }, 7);
    expect(decoded(message, {}, { x: "string" })).toEqual(["int", 7]);
    expect(decoded(message, { x: "string" }, { x: "long" })).toEqual(["string", "7"]);
  });

  it("says which columns are required", () => {
    const batches = decoderOf(debeziumJson).decode([described({ type: "int32", optional: false }, 7)]);
    expect(batches[0]?.fields).toEqual([{ name: "x", type: { kind: "int" }, required: true }]);
  });
});

describe("`columns:` over the schema in the message", () => {
  const decimal = { type: "bytes", name: DECIMAL, parameters: { scale: "2" } };
  const millis = { type: "int64", name: "io.debezium.time.Timestamp" };

  it.each<[Field, unknown, string, unknown]>([
    [decimal, base64(0x30, 0x39), "decimal(9,4)", "1234500e-4"],
    [decimal, base64(0x30, 0x39), "string", "123.45"],
    [decimal, base64(0x30, 0x39), "double", 123.45],
    [decimal, base64(0x04, 0xb0), "long", 12n],
    [decimal, base64(0x04, 0xb0), "int", 12],
    [
      { type: "struct", name: "io.debezium.data.VariableScaleDecimal" },
      { value: base64(5), scale: 1 },
      "decimal(9,2)",
      "50e-2",
    ],
    [millis, 1_704_164_645_123, "timestamptz", 1_704_164_645_123_000n],
    [millis, 1_704_164_645_123, "timestamp_ns", 1_704_164_645_123_000_000n],
    [millis, 1_704_164_645_123, "long", 1_704_164_645_123n],
    [millis, 1_704_164_645_123, "string", "1704164645123"],
    [millis, 1_704_153_600_000, "date", 19_724],
    [{ type: "int32", name: "io.debezium.time.Date" }, 19_724, "timestamp", 1_704_153_600_000_000n],
    [
      { type: "int64", name: "io.debezium.time.NanoTimestamp" },
      "raw:1704164645123456000",
      "timestamp",
      1_704_164_645_123_456n,
    ],
    [{ type: "int64", name: "io.debezium.time.MicroTime" }, -1, "long", -1n],
    [{ type: "array" }, [1, "a"], "string", '[1,"a"]'],
    [{ type: "bytes" }, base64(1, 2, 3), "fixed[3]", "010203"],
    [{ type: "bytes" }, base64(1, 2, 3), "string", "AQID"],
    [{ type: "int16" }, 1, "boolean", true],
    [{ type: "string" }, "12.50", "decimal(9,2)", "1250e-2"],
  ])("%j of %j as %s", (field, value, type, expected) => {
    expect(decoded(described(field, value), { x: type })[1]).toEqual(expected);
  });

  it.each<[Field, unknown, string]>([
    [decimal, base64(0x30, 0x39), "decimal(9,1)"],
    [decimal, base64(0x30, 0x39), "long"],
    [millis, 1_704_164_645_123, "date"],
    [{ type: "int64", name: "io.debezium.time.NanoTimestamp" }, "raw:1704164645123456789", "timestamp"],
    [{ type: "int64", name: "io.debezium.time.NanoTimestamp" }, "raw:8640000000000001", "date"],
    [{ type: "bytes" }, base64(1, 2), "fixed[3]"],
    [{ type: "int16" }, 2, "boolean"],
  ])("%j of %j is not rounded to %s", (field, value, type) => {
    expect(decoded(described(field, value), { x: type })[0]).toBe("VALUE_MISMATCH");
  });

  it.each<[Field, unknown, string]>([
    [millis, 1, "boolean"],
    [decimal, base64(1), "timestamp"],
    [{ type: "bytes" }, base64(1), "long"],
    [{ type: "int64", name: "io.debezium.time.MicroTime" }, 1, "timestamp"],
    [{ type: "string" }, "x", "unknown"],
  ])("%j of %j can never become %s: a setting to change", (field, value, type) => {
    expect(decoded(described(field, value), { x: type })[0]).toBe("COLUMN_TYPE_UNREADABLE");
  });
});

describe("`columns:` without schema", () => {
  it.each([
    ["12", "int", 12],
    ['"-0012"', "int", -12],
    ['"9223372036854775807"', "long", 2n ** 63n - 1n],
    ['"1.5"', "double", 1.5],
    ['"1.5"', "float", 1.5],
    ["3", "double", 3],
    ["0", "boolean", false],
    ['"12.345"', "decimal(9,3)", "12345e-3"],
    ["12.3", "decimal(9,3)", "12300e-3"],
    ["12345678901234567890123456789012345678", "decimal(38,0)", "12345678901234567890123456789012345678e-0"],
    ['"2024-01-02"', "date", 19_724],
    ['"2024-01-02T00:00:00.000Z"', "date", 19_724],
    ["19724", "date", 19_724],
    ['"03:04:05"', "time", 11_045_000_000n],
    ["5", "time", 5n],
    ['"2024-01-02 03:04:05"', "timestamp", 1_704_164_645_000_000n],
    ['"2024-01-02T03:04:05Z"', "timestamp", 1_704_164_645_000_000n],
    ["1704164645000000", "timestamp", 1_704_164_645_000_000n],
    ['"2024-01-02T03:04:05+01:00"', "timestamptz", 1_704_161_045_000_000n],
    ["-1", "timestamptz", -1n],
    ['"2024-01-02T03:04:05.123456789"', "timestamp_ns", NS_2024],
    [String(NS_2024), "timestamptz_ns", NS_2024],
    ['"123E4567E89B12D3A456426614174000"', "uuid", "123e4567e89b12d3a456426614174000"],
    ['"AP8Q"', "binary", "00ff10"],
    ['"AP\\u0038Q"', "binary", "00ff10"],
    ['"AP8Q"', "fixed[3]", "00ff10"],
    ["true", "string", "true"],
    ["1.50", "string", "1.50"],
    ['{"a": [1, "ü"]}', "string", '{"a": [1, "ü"]}'],
    ["null", "decimal(9,3)", null],
  ])("%s as %s is %s", (json, type, expected) => {
    expect(decoded(plain(json), { x: type })).toEqual([expect.any(String), expected]);
  });

  it.each([
    ["1.5", "int"],
    ["1.0", "long"],
    ['"1.5"', "long"],
    ['""', "int"],
    ['"2147483648"', "int"],
    ['"x"', "double"],
    ['"1e400"', "double"],
    ["1e400", "double"],
    ["2", "boolean"],
    ['"true"', "boolean"],
    ['"12.3456"', "decimal(9,3)"],
    ["1234567", "decimal(9,3)"],
    ['"NaN"', "decimal(9,3)"],
    ['"2024-02-30"', "date"],
    ["2147483648", "date"],
    ['"2024-01-02T03:04:05Z"', "date"],
    ['"2024-01-02"', "timestamp"],
    ['"2024-01-02T03:04:05+02:00"', "timestamp"],
    ['"2024-01-02T03:04:05"', "timestamptz"],
    ['"2024-01-02T03:04:05.1234567"', "timestamp"],
    ['"2300-01-01T00:00:00"', "timestamp_ns"],
    ["86400000000", "time"],
    ['"x"', "uuid"],
    ['"A"', "binary"],
    ["[1]", "binary"],
    ["{}", "long"],
  ])("%s as %s is refused", (json, type) => {
    expect(decoded(plain(json), { x: type })).toEqual(["VALUE_MISMATCH", expect.stringMatching(/columns: \{ x: \w+/)]);
  });
});

describe("without any declaration", () => {
  it.each([
    ["true", "boolean", true],
    ["-7", "long", -7n],
    ["9007199254740993", "long", 9_007_199_254_740_993n],
    ["1.0", "double", 1],
    ["1e2", "double", 100],
    ['"2024-01-02"', "string", "2024-01-02"],
    ['"12.50"', "string", "12.50"],
  ])("%s is %s", (json, type, expected) => {
    expect(decoded(plain(json))).toEqual([type, expected]);
  });

  it.each([
    ["[1]", "an array"],
    ['{"a":1}', "an object"],
  ])("%s is refused by the column's name", (json, found) => {
    const error = () => decoderOf(debeziumJson).decode([plain(json)]);
    expect(error).toThrow(`column "x" of shop.orders: expected a value that one table column holds, found ${found}`);
    expect(decoded(plain(json))).toEqual(["COLUMN_TYPE_REFUSED", "keep its JSON text: columns: { x: string }"]);
  });

  it("the table's types are taken", () => {
    expect(decoded(plain('"12.50"'), {}, { x: "decimal(9, 2)" })).toEqual(["decimal(9, 2)", "1250e-2"]);
    expect(decoded(plain("7"), {}, { x: "double" })).toEqual(["double", 7]);
    expect(decoded(plain("7"), {}, { x: "string" })).toEqual([
      "VALUE_MISMATCH",
      expect.stringContaining("columns: { x: string }"),
    ]);
  });

  it("a notice is raised once a column", () => {
    const decoder = decoderOf(debeziumJson);
    decoder.decode([plain("1"), plain("2")]);
    decoder.decode([plain("3")]);
    expect(decoder.inferred).toEqual([{ name: "x", type: { kind: "long" }, required: false }]);
  });

  it("a column that has only been null is held back until a value comes", () => {
    const decoder = decoderOf(debeziumJson);
    const row = (json: string) => ({ value: `{"before":null,"after":{"id":1,"x":${json}},"op":"c"}` });
    const batches = decoder.decode([row("null"), row("null"), row('"a"'), row("null")]);
    expect(batches.map((batch) => [batch.length, batch.fields.map((field) => field.name)])).toEqual([
      [2, ["id"]],
      [2, ["id", "x"]],
    ]);
    expect(rowsOf(batches).map((decodedRow) => decodedRow.values["x"])).toEqual([undefined, undefined, "a", null]);
  });

  it.each([
    ["1", "1.5", "double"],
    ["1", '"a"', "string"],
    ["1", "9223372036854775808", "decimal(38, 0)"],
    ["1.5", '"a"', "string"],
    ["true", "1", "string"],
    ['"a"', "1", "string"],
    ['"a"', "{}", "string"],
  ])("after %s a %s stops with the line to write", (first, second, type) => {
    const decoder = decoderOf(debeziumJson);
    decoder.decode([plain(first)]);
    let error: unknown;
    try {
      decoder.decode([plain(first), plain(second)]);
    } catch (caught) {
      error = caught;
    }
    expect(error).toMatchObject({
      kind: "data",
      code: "VALUE_MISMATCH",
      hint: `under the entry of shop.orders in tables: columns: { x: ${type} }`,
    });
    expect((error as Error).message).toContain(
      `stream shop.public.orders, split shop.public.orders/0, offset 2, column "x" (`,
    );
    expect((error as Error).message).toContain(`, found ${second} at byte 28 of the value`);
  });
});

describe("schemas", () => {
  it("change the columns where they change, and only there", () => {
    const decoder = decoderOf(debeziumJson);
    const int = described({ type: "int32" }, 1);
    const renamed = { value: (int.value as string).replace("shop.Envelope", "shop2.Envelope") };
    const long = described({ type: "int64" }, 2);
    const batches = decoder.decode([int, renamed, int, long, plain("3"), long, int]);
    expect(batches.map((batch) => [batch.fields[0]?.type.kind, batch.length])).toEqual([
      ["int", 3],
      ["long", 1],
      ["long", 1],
      ["long", 1],
      ["int", 1],
    ]);
  });

  it("may come after the payload", () => {
    const { schema, payload } = JSON.parse(described({ type: "int32" }, 1).value as string) as Record<string, unknown>;
    expect(decoded({ value: { payload, schema } })).toEqual(["int", 1]);
  });

  it("that are none are refused", () => {
    expect(decoded({ value: { schema: { fields: [] }, payload: { op: "c", after: { x: 1 } } } })[0]).toBe(
      "NOT_A_CONNECT_SCHEMA",
    );
  });

  it("must name every column of the row", () => {
    const value = (described({ type: "int32" }, 1).value as string).replace('{"x":1}', '{"x":1,"y":2}');
    expect(() => decoderOf(debeziumJson).decode([{ value }])).toThrow(
      "expected a column that the message's schema names, found y",
    );
  });
});
