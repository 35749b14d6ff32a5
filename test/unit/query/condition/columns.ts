// A table with a column of every kind, values that are near one another, and literals near those.
import type { Cell, NestedField, Schema, Type } from "../../../../table-format/index.ts";

interface ConditionColumn {
  readonly name: string;
  readonly type: Type;
  /** Nulls come beside them. */
  readonly values: readonly Cell[];
  /** As SQL has them; some are refused or rounded. */
  readonly literals: readonly string[];
}

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));
/** Microseconds of 2026-11-20 05:00:00 UTC. */
const MOMENT = BigInt(Date.UTC(2026, 10, 20, 5)) * 1000n;
const DAY = Date.UTC(2026, 10, 20) / 86_400_000;

export const CONDITION_COLUMNS: readonly ConditionColumn[] = [
  { name: "flag", type: { kind: "boolean" }, values: [true, false], literals: ["true", "FALSE", "'true'"] },
  {
    name: "i",
    type: { kind: "int" },
    values: [0, -1, 7, 8, 2147483647, -2147483648],
    literals: ["0", "-1", "7", "+8", "7.0", "7.5", "-0.5", "3000000000", "'7'", "'-1'", "'7.5'", "' 7'", "7e0"],
  },
  {
    name: "l",
    type: { kind: "long" },
    values: [0n, -1n, 9007199254740992n, 9007199254740993n, 9223372036854775807n, -9223372036854775808n],
    literals: [
      "0",
      "9007199254740992",
      "9007199254740993",
      "9007199254740992.5",
      "9223372036854775807",
      "-9223372036854775808",
    ].concat(["9223372036854775808", "99999999999999999999", "'9007199254740993'", "'9223372036854775808'", "1e3"]),
  },
  {
    name: "f",
    type: { kind: "float" },
    values: [0, -0, 0.5, Math.fround(0.1), Math.fround(1 / 3), 16777216, NaN, Infinity, -Infinity],
    literals: [
      "0",
      "-0",
      "0.5",
      "0.1",
      "16777217",
      "'0.1'",
      "1e-1",
      "0.3333333",
      "0.33333334",
      "123456789.5",
      "'nan'",
      "'inf'",
    ],
  },
  {
    name: "d",
    type: { kind: "double" },
    values: [0, -0, 0.1, Math.fround(0.1), 1e300, -5, 9007199254740992, NaN, Infinity, -Infinity],
    literals: [
      "0",
      "-0.0",
      "0.1",
      "1e300",
      "1e999",
      "-5",
      "9007199254740993",
      "0.10000000149011612",
      "'0.1'",
      "'1e300'",
      "'NaN'",
      "12.345",
    ],
  },
  {
    name: "price",
    type: { kind: "decimal", precision: 9, scale: 2 },
    values: [0n, -1n, 150n, 151n, 9_999_999_99n, -150n],
    literals: ["0", "1.5", "1.50", "1.504", "-0.01", "-1.505", "'1.51'", "'1.505'", "99999999999", "1.5e0", "'-1.5'"],
  },
  {
    name: "big",
    type: { kind: "decimal", precision: 38, scale: 10 },
    values: [0n, 10n ** 37n, -(10n ** 37n), 12_345_678_901n, 12_345_678_902n],
    literals: [
      "0",
      "1.2345678901",
      "1.23456789015",
      "1000000000000000000000000000",
      "99999999999999999999999999999",
      "'1.2345678902'",
    ],
  },
  {
    name: "day",
    type: { kind: "date" },
    values: [0, -1, DAY, DAY + 1, -800_000],
    literals: [
      "'1970-01-01'",
      "DATE '2026-11-20'",
      "date '2026-11-21'",
      "'2026-02-30'",
      "TIMESTAMP '2026-11-20 05:00:00'",
      "'20261120'",
    ],
  },
  {
    name: "clock",
    type: { kind: "time" },
    values: [0n, 1n, 18_000_000_000n, 86_399_999_999n],
    literals: [
      "'05:00:00'",
      "TIME '05:00:00.000001'",
      "'00:00:00.000001'",
      "'24:00:00'",
      "'5:00'",
      "'23:59:59.999999'",
    ],
  },
  {
    name: "at",
    type: { kind: "timestamp" },
    values: [0n, -1n, MOMENT, MOMENT + 1n],
    literals: [
      "'2026-11-20 05:00:00'",
      "'2026-11-20T05:00:00.000001'",
      "TIMESTAMP '1970-01-01 00:00:00'",
      "'2026-11-20'",
      "DATE '2026-11-20'",
    ].concat(["'2026-11-20 05:00:00.0000005'", "'2026-11-20 05:00:00+02'", "'2026-13-01'"]),
  },
  {
    name: "zoned",
    type: { kind: "timestamptz" },
    values: [0n, -1n, MOMENT, MOMENT + 1n, MOMENT - 7_200_000_000n],
    literals: [
      "'2026-11-20 05:00:00'",
      "'2026-11-20T05:00:00Z'",
      "'2026-11-20T05:00:00+02:00'",
      "'2026-11-20 05:00:00.000001-00'",
      "'2026-11-20'",
    ]
      .concat(["TIMESTAMPTZ '2026-11-20 05:00:00+02'", "TIMESTAMP '2026-11-20 05:00:00'", "DATE '2026-11-20'"])
      .concat(["timestamp with time zone '2026-11-20 03:00:00Z'", "'2026-11-20 05:00:00 Europe/Berlin'"]),
  },
  {
    name: "nano",
    type: { kind: "timestamp_ns" },
    values: [0n, -1n, MOMENT * 1000n, MOMENT * 1000n + 1n],
    literals: [
      "'2026-11-20 05:00:00.000000001'",
      "'2026-11-20 05:00:00'",
      "'1970-01-01'",
      "TIMESTAMP '2026-11-20 05:00:00'",
    ],
  },
  {
    name: "name",
    type: { kind: "string" },
    values: ["", "a", "ab", "abc", "b", "A", "it's", "ünï", "\u{1f9ca}", "\uffee", "50%", "a_c"],
    literals: ["''", "'a'", "'ab'", "'it''s'", "'ünï'", "'\u{1f9ca}'", "'\uffee'", "5", "'A'"],
  },
  {
    name: "id128",
    type: { kind: "uuid" },
    values: [
      bytes("f79c3e09677c4bbda4793f349cb785e7"),
      bytes("00000000000040008000000000000001"),
      bytes("80".repeat(16)),
    ],
    literals: [
      "'f79c3e09-677c-4bbd-a479-3f349cb785e7'",
      "'80808080-8080-8080-8080-808080808080'",
      "'0000000000004000-8000000000000001'",
    ],
  },
  {
    name: "bin",
    type: { kind: "binary" },
    values: [bytes(""), bytes("00"), bytes("61"), bytes("6162"), bytes("ff00")],
    literals: ["''", "'a'", "'ab'", String.raw`'\xFF\x00'`, String.raw`'a\x62'`, "'ü'", String.raw`'\\'`],
  },
  {
    name: "three",
    type: { kind: "fixed", length: 3 },
    values: [bytes("616263"), bytes("000000"), bytes("ff0102")],
    literals: ["'abc'", "'ab'", String.raw`'\xFF\x01\x02'`],
  },
  { name: "Odd name", type: { kind: "int" }, values: [1, 2], literals: ["1", "2"] },
];

/** A struct beside them, whose field `city` is a column too. */
export const PLACE: NestedField = {
  id: 100,
  name: "place",
  required: false,
  type: {
    kind: "struct",
    fields: [
      { id: 101, name: "city", required: false, type: { kind: "string" } },
      { id: 102, name: "area", required: true, type: { kind: "long" } },
    ],
  },
};

/** `id` and all of the columns. */
export const CONDITION_SCHEMA: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [
    { id: 1, name: "id", required: true, type: { kind: "long" } },
    ...CONDITION_COLUMNS.map(({ name, type }, index) => ({ id: index + 2, name, required: false, type })),
    PLACE,
  ],
};
