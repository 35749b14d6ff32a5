import fc from "fast-check";
import { expect, test } from "vitest";
import type { Column } from "../../../../table-format/arrow/column.ts";
import type { PrimitiveType } from "../../../../table-format/schema/types.ts";
import { compareValues, decodeValue, encodeValue, valueAt } from "../../../../table-format/values/single-value.ts";
import type { Value } from "../../../../table-format/manifest/data-file.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const long = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

test.each<[PrimitiveType, Value, string]>([
  [{ kind: "boolean" }, true, "01"],
  [{ kind: "boolean" }, false, "00"],
  [{ kind: "int" }, -2, "feffffff"],
  [{ kind: "date" }, 17486, "4e440000"],
  [{ kind: "long" }, 9007199254740993n, "0100000000002000"],
  [{ kind: "timestamptz" }, -1n, "ffffffffffffffff"],
  [{ kind: "float" }, -4.5, "000090c0"],
  [{ kind: "double" }, 6, "0000000000001840"],
  [{ kind: "decimal", precision: 9, scale: 2 }, 1420n, "058c"],
  [{ kind: "decimal", precision: 38, scale: 0 }, -128n, "80"],
  [{ kind: "decimal", precision: 38, scale: 0 }, 128n, "0080"],
  [{ kind: "decimal", precision: 38, scale: 0 }, 0n, "00"],
  [{ kind: "string" }, "ü\ufeff😀", "c3bcefbbbff09f9880"],
  [{ kind: "uuid" }, Uint8Array.from({ length: 16 }, (_, i) => i), "000102030405060708090a0b0c0d0e0f"],
])("%o %s has the spec's bytes, and reads back", (type, value, bytes) => {
  expect(hex(encodeValue(type, value))).toBe(bytes);
  expect(decodeValue(type, encodeValue(type, value))).toEqual(value);
});

test("every long and every decimal reads back", () => {
  fc.assert(
    fc.property(long, (value) => {
      expect(decodeValue({ kind: "long" }, encodeValue({ kind: "long" }, value))).toBe(value);
    }),
  );
  const type: PrimitiveType = { kind: "decimal", precision: 38, scale: 0 };
  const unscaled = fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n });
  fc.assert(
    fc.property(unscaled, (value) => {
      const bytes = encodeValue(type, value);
      expect(decodeValue(type, bytes)).toBe(value);
      expect(bytes.length <= 1 || BigInt.asIntN((bytes.length - 1) * 8, value) !== value).toBe(true);
    }),
  );
});

test("bounds from before a widening keep their narrow width", () => {
  const int = encodeValue({ kind: "int" }, -7);
  expect(decodeValue({ kind: "long" }, int)).toBe(-7n);
  expect(decodeValue({ kind: "timestamp" }, int)).toBe(-7n * 86_400_000_000n);
  expect(decodeValue({ kind: "timestamp_ns" }, int)).toBe(-7n * 86_400_000_000_000n);
  expect(decodeValue({ kind: "double" }, encodeValue({ kind: "float" }, 0.5))).toBe(0.5);
  expect(() => decodeValue({ kind: "timestamptz" }, int)).toThrow(/4 bytes, expected 8/);
  expect(() => decodeValue({ kind: "int" }, Uint8Array.of(1))).toThrow(/1 bytes, expected 4/);
});

test("strings compare as their UTF-8 bytes do", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "binary" }), (a, b) => {
      const expected = Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(Math.sign(compareValues({ kind: "string" }, a, b))).toBe(expected);
    }),
  );
  expect(compareValues({ kind: "string" }, "\uffff", "😀")).toBeLessThan(0);
});

test("floats have a total order with NaN last, bytes are unsigned", () => {
  const sorted = [-Infinity, -1, -0, 0, 1, Infinity, NaN];
  const compare = (a: number, b: number): number => compareValues({ kind: "double" }, a, b);
  expect(sorted.toReversed().toSorted(compare)).toEqual(sorted);
  expect(compareValues({ kind: "binary" }, Uint8Array.of(0x80), Uint8Array.of(0x7f))).toBeGreaterThan(0);
  expect(compareValues({ kind: "binary" }, Uint8Array.of(1), Uint8Array.of(1, 0))).toBeLessThan(0);
});

test("reads values from columns", () => {
  const base = { length: 2, nullCount: 1, validity: Uint8Array.of(0b10) };
  const decimal: Column = {
    ...base,
    layout: "i128",
    type: { kind: "decimal", precision: 38, scale: 0 },
    values: BigInt64Array.of(0n, 0n, -5n, -1n),
  };
  expect([valueAt(decimal, 0), valueAt(decimal, 1)]).toEqual([null, -5n]);
  const high: Column = { ...decimal, validity: null, nullCount: 0, values: BigInt64Array.of(-1n, 1n, 0n, 0n) };
  expect(valueAt(high, 0)).toBe(2n ** 65n - 1n);
  const bits: Column = { ...base, layout: "bits", type: { kind: "boolean" }, values: Uint8Array.of(0b10) };
  expect([valueAt(bits, 0), valueAt(bits, 1)]).toEqual([null, true]);
  const uuid: Column = {
    ...base,
    layout: "fixed",
    width: 2,
    type: { kind: "fixed", length: 2 },
    values: Uint8Array.of(0, 0, 1, 2),
  };
  expect(valueAt(uuid, 1)).toEqual(Uint8Array.of(1, 2));
});

test("text that is not UTF-8 is an error of the file, not of the program", () => {
  expect(() => decodeValue({ kind: "string" }, Uint8Array.of(0x61, 0xc3))).toThrow(
    expect.objectContaining({ kind: "corrupt", message: "expected a string in UTF-8, found bytes 61c3" }),
  );
});
