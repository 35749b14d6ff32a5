import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { murmur3 } from "../../../../table-format/partition/murmur3.ts";
import {
  applyTransform,
  bucketHash,
  parseTransform,
  transformResultType,
} from "../../../../table-format/partition/transform.ts";
import type { PlainKind, PrimitiveType } from "../../../../table-format/schema/types.ts";

const kind = (name: PlainKind): PrimitiveType => ({ kind: name });
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));
const micros = (iso: string): bigint => BigInt(Date.parse(`${iso}Z`)) * 1000n;
const days = (iso: string): number => Date.parse(iso) / 86_400_000;

describe("bucket", () => {
  // Spec, appendix B, "32-bit hash requirements".
  test.each<[string, PrimitiveType, boolean | number | bigint | string | Uint8Array, number]>([
    ["int", kind("int"), 34, 2017239379],
    ["long", kind("long"), 34n, 2017239379],
    ["decimal", { kind: "decimal", precision: 9, scale: 2 }, 1420n, -500754589],
    ["date", kind("date"), days("2017-11-16"), -653330422],
    ["time", kind("time"), 81068000000n, -662762989],
    ["timestamp", kind("timestamp"), micros("2017-11-16T22:31:08"), -2047944441],
    ["timestamp + 1 µs", kind("timestamp"), micros("2017-11-16T22:31:08") + 1n, -1207196810],
    ["timestamptz", kind("timestamptz"), micros("2017-11-16T22:31:08"), -2047944441],
    ["timestamp_ns", kind("timestamp_ns"), micros("2017-11-16T22:31:08") * 1000n + 999n, -2047944441],
    ["timestamptz_ns", kind("timestamptz_ns"), micros("2017-11-16T22:31:08") * 1000n + 1001n, -1207196810],
    ["string", kind("string"), "iceberg", 1210000089],
    ["uuid", kind("uuid"), hex("f79c3e09677c4bbda4793f349cb785e7"), 1488055340],
    ["fixed", { kind: "fixed", length: 4 }, hex("00010203"), -188683207],
    ["binary", kind("binary"), hex("00010203"), -188683207],
  ])("hashes %s as the spec's vector", (_name, type, value, hash) => {
    expect(bucketHash(type, value)).toBe(hash);
  });

  test("is the hash without its sign, modulo the buckets", () => {
    const type = kind("date");
    expect(applyTransform(parseTransform("bucket[16]"), type, days("2017-11-16"))).toBe((-653330422 & 0x7fffffff) % 16);
  });

  test("hashes tails of every length", () => {
    // Reference: the mmh3 package of Python, signed, seed 0.
    expect(["", "a", "ab", "abc", "abcd", "abcde"].map((text) => murmur3(Buffer.from(text)))).toEqual([
      0, 1009084850, -1681926305, -1277324294, 1139631978, -392455434,
    ]);
  });
});

describe("truncate", () => {
  test.each<[number | bigint | string, number, number | bigint | string]>([
    [1, 10, 0],
    [-1, 10, -10],
    [1065n, 50, 1050n],
    [-1n, 10, -10n],
    ["iceberg", 3, "ice"],
    ["ice", 3, "ice"],
    ["😀😀😀", 2, "😀😀"],
  ])("%s by %d is %s", (value, width, expected) => {
    const type = kind(typeof value === "number" ? "int" : typeof value === "bigint" ? "long" : "string");
    expect(applyTransform(parseTransform(`truncate[${width}]`), type, value)).toBe(expected);
  });

  test("never exceeds the value and lies on the grid", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.integer({ min: 1, max: 1000 }),
        (value, width) => {
          const result = applyTransform({ kind: "truncate", width }, kind("long"), value) as bigint;
          expect(result % BigInt(width)).toBe(0n);
          expect(value - result >= 0n && value - result < BigInt(width)).toBe(true);
        },
      ),
    );
  });
});

describe("times", () => {
  test.each<[string, string, number, number, number, number]>([
    ["1970-01-01T00:00:00", "epoch", 0, 0, 0, 0],
    ["1969-12-31T23:59:59", "just before", -1, -1, -1, -1],
    ["1969-01-01T00:00:00", "a year before", -1, -12, -365, -8760],
    ["2017-12-01T10:30:59", "later", 47, 575, days("2017-12-01"), days("2017-12-01") * 24 + 10],
  ])("%s (%s)", (iso, _name, year, month, day, hour) => {
    const apply = (transform: string, type: PrimitiveType, value: bigint | number) =>
      applyTransform(parseTransform(transform), type, value);
    const all = [year, month, day, hour];
    const names = ["year", "month", "day", "hour"];
    expect(names.map((name) => apply(name, kind("timestamptz"), micros(iso)))).toEqual(all);
    expect(names.map((name) => apply(name, kind("timestamp_ns"), micros(iso) * 1000n + 1n))).toEqual(all);
    const date = Math.floor(Number(micros(iso)) / 86_400_000_000);
    expect(names.slice(0, 3).map((name) => apply(name, kind("date"), date))).toEqual(all.slice(0, 3));
  });

  test("dates beyond JavaScript's Date keep their year", () => {
    expect(applyTransform(parseTransform("year"), kind("date"), 2 ** 31 - 1)).toBe(5881580 - 1970);
  });

  test("agrees with Date wherever Date reaches", () => {
    fc.assert(
      fc.property(fc.integer({ min: -10_000_000, max: 10_000_000 }), (day) => {
        const date = new Date(day * 86_400_000);
        const months = (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth();
        expect(applyTransform(parseTransform("month"), kind("date"), day)).toBe(months);
      }),
    );
  });
});

test("null stays null, void forgets, result types follow the spec", () => {
  for (const text of ["identity", "bucket[4]", "truncate[4]", "day", "void"]) {
    expect(applyTransform(parseTransform(text), kind("string"), null)).toBeNull();
  }
  expect(applyTransform(parseTransform("void"), kind("int"), 5)).toBeNull();
  expect(transformResultType(parseTransform("day"), kind("timestamp"))).toEqual(kind("date"));
  expect(transformResultType(parseTransform("bucket[4]"), kind("string"))).toEqual(kind("int"));
  expect(transformResultType(parseTransform("truncate[4]"), kind("string"))).toEqual(kind("string"));
});

test("transforms refuse types that they do not take, and unknown ones are kept but not applied", () => {
  expect(() => transformResultType(parseTransform("bucket[4]"), kind("double"))).toThrow(/does not take double/);
  expect(() => transformResultType(parseTransform("hour"), kind("date"))).toThrow(/does not take date/);
  expect(parseTransform("bucket[0]")).toEqual({ kind: "other", text: "bucket[0]" });
  expect(() => applyTransform(parseTransform("zorder[2]"), kind("int"), 1)).toThrow(/zorder\[2\] is not known/);
});
