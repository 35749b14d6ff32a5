import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createBuilder, nullColumn } from "../../../../table-format/arrow/builder.ts";
import { BytesBuilder } from "../../../../table-format/arrow/bytes-builders.ts";
import type { Column } from "../../../../table-format/arrow/column.ts";
import { isValid, layoutOf } from "../../../../table-format/arrow/column.ts";
import type { PrimitiveType } from "../../../../table-format/schema/types.ts";
import { ALL_TYPES, anyRows, columnOf, valuesOf } from "../columns.ts";

const LONG: PrimitiveType = { kind: "long" };
const STRING: PrimitiveType = { kind: "string" };
const DECIMAL: PrimitiveType = { kind: "decimal", precision: 38, scale: 2 };

const nullsOf = (column: Column): number => {
  let nulls = 0;
  for (let row = 0; row < column.length; row++) if (!isValid(column, row)) nulls++;
  return nulls;
};

describe.each(ALL_TYPES.map((type) => [JSON.stringify(type), type] as const))("a column of %s", (_, type) => {
  it("holds what was appended", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 200 }).chain((length) => anyRows(type, length)),
        (rows) => {
          const column = columnOf(type, rows);
          expect(column.layout).toBe(layoutOf(type));
          expect(column.length).toBe(rows.length);
          expect(valuesOf(column)).toEqual(rows);
          expect(column.nullCount).toBe(rows.filter((value) => value === null).length);
          expect(column.nullCount).toBe(nullsOf(column));
          expect(column.validity === null).toBe(column.nullCount === 0);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("takes rows over from another column", () => {
    fc.assert(
      fc.property(anyRows(type, 70), fc.array(fc.nat(69), { maxLength: 150 }), (rows, picks) => {
        const source = columnOf(type, rows);
        const builder = createBuilder(type);
        for (const row of picks) builder.appendFrom(source, row);
        expect(valuesOf(builder.finish())).toEqual(picks.map((row) => rows[row]));
      }),
      { numRuns: 20 },
    );
  });

  it("keeps zeros in the slots of nulls", () => {
    const column = columnOf(type, new Array<null>(100).fill(null));
    expect(column.values.every((value) => Number(value) === 0)).toBe(true);
    expect(column).toEqual(nullColumn(type, 100));
  });
});

it("starts anew after finish and leaves the finished column alone", () => {
  const builder = createBuilder(STRING);
  builder.appendString("first");
  builder.appendNull();
  const first = builder.finish();
  builder.appendString("second");
  expect(builder.length).toBe(1);
  expect(valuesOf(builder.finish())).toEqual(["second"]);
  expect(valuesOf(first)).toEqual(["first", null]);
});

it("takes 64-bit integers as words, as bigints and as safe numbers", () => {
  const any64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  for (const type of [LONG, DECIMAL]) {
    fc.assert(
      fc.property(any64, fc.maxSafeInteger(), fc.integer(), (wide, safe, narrow) => {
        const builder = createBuilder(type);
        builder.appendI64(wide);
        builder.appendI64Parts(Number(wide & 0xffff_ffffn), Number((wide >> 32n) & 0xffff_ffffn));
        builder.appendI64Number(safe);
        builder.appendI32(narrow);
        expect(valuesOf(builder.finish())).toEqual([wide, wide, BigInt(safe), BigInt(narrow)]);
      }),
    );
  }
});

it("takes bytes written in place, and forgets those not committed", () => {
  const builder = new BytesBuilder(STRING);
  builder.appendString("x".repeat(1020));
  const dropped = builder.reserveBytes(4);
  dropped.set([1, 2, 3, 4], builder.bytesLength);
  const bytes = builder.reserveBytes(10);
  const at = builder.bytesLength;
  bytes.set(new TextEncoder().encode("in place"), at);
  builder.commitBytes(at + 8);
  expect(valuesOf(builder.finish())).toEqual(["x".repeat(1020), "in place"]);
});

it("encodes any text as UTF-8, lone surrogates as U+FFFD", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary", maxLength: 100 })), (texts) => {
      const builder = createBuilder(STRING);
      for (const text of texts) builder.appendString(text);
      expect(valuesOf(builder.finish())).toEqual(texts);
    }),
  );
  const builder = createBuilder(STRING);
  builder.appendString("a\ud800");
  expect(valuesOf(builder.finish())).toEqual(["a\ufffd"]);
});

it("refuses values of another width and methods of another layout", () => {
  const uuid = createBuilder({ kind: "uuid" });
  expect(() => uuid.appendBytes(new Uint8Array(15), 0, 15)).toThrow(expect.objectContaining({ kind: "data" }));
  expect(uuid.length).toBe(0);
  expect(() => uuid.appendI32(1)).toThrow(expect.objectContaining({ kind: "internal" }));
});
