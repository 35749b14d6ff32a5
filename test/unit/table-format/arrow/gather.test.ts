import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gatherColumn } from "../../../../table-format/arrow/gather.ts";
import { widenColumn } from "../../../../table-format/arrow/widen.ts";
import type { PrimitiveType } from "../../../../table-format/schema/types.ts";
import { ALL_TYPES, anyRows, columnOf, valuesOf } from "../columns.ts";

describe.each(ALL_TYPES.map((type) => [JSON.stringify(type), type] as const))("gathered %s", (_, type) => {
  it("is the picked rows of the picked sources, null where a source is missing", () => {
    const picks = fc.array(fc.tuple(fc.nat(2), fc.nat(19)), { maxLength: 60 });
    fc.assert(
      fc.property(anyRows(type, 20), anyRows(type, 20), picks, fc.boolean(), (a, b, picked, hasNone) => {
        const rows = [a, b, hasNone ? new Array<null>(20).fill(null) : a];
        const sources = [columnOf(type, a), columnOf(type, b), hasNone ? null : columnOf(type, a)];
        const column = gatherColumn(
          type,
          sources,
          Uint16Array.from(picked, ([source]) => source),
          Uint32Array.from(picked, ([, row]) => row),
        );
        const expected = picked.map(([source, row]) => rows[source]?.[row] ?? null);
        expect(valuesOf(column)).toEqual(expected);
        expect(column.nullCount).toBe(expected.filter((value) => value === null).length);
        expect(column.type).toEqual(type);
      }),
      { numRuns: 30 },
    );
  });
});

it("is all nulls without any source", () => {
  const column = gatherColumn({ kind: "long" }, [null], Uint16Array.of(0, 0), Uint32Array.of(7, 9));
  expect(valuesOf(column)).toEqual([null, null]);
});

const WIDENED: readonly (readonly [PrimitiveType, PrimitiveType, unknown[], unknown[]])[] = [
  [{ kind: "int" }, { kind: "long" }, [-1, 2147483647, null], [-1n, 2147483647n, null]],
  [{ kind: "float" }, { kind: "double" }, [0.5, null, -0], [0.5, null, -0]],
  [{ kind: "date" }, { kind: "timestamp" }, [-1, null, 19000], [-86400000000n, null, 1641600000000000n]],
  [{ kind: "date" }, { kind: "timestamp_ns" }, [1, null], [86400000000000n, null]],
  [{ kind: "decimal", precision: 9, scale: 2 }, { kind: "decimal", precision: 38, scale: 2 }, [-5n, null], [-5n, null]],
  [{ kind: "unknown" }, { kind: "string" }, [null, null], [null, null]],
];

it.each(WIDENED)("widens %j to %j", (from, to, values, expected) => {
  const column = columnOf(from, values as never);
  expect(valuesOf(widenColumn(column, to))).toEqual(expected);
  const reversed = gatherColumn(
    to,
    [null, column],
    new Uint32Array(values.length).fill(1),
    Uint32Array.from(values.keys()).reverse(),
  );
  expect(valuesOf(reversed)).toEqual(expected.toReversed());
  expect(reversed.type).toEqual(to);
});

it("refuses what is no promotion, and dates beyond nanoseconds", () => {
  const long = columnOf({ kind: "long" }, [1n]);
  expect(() => widenColumn(long, { kind: "int" })).toThrow(expect.objectContaining({ kind: "internal" }));
  const decimal = columnOf({ kind: "decimal", precision: 9, scale: 2 }, [1n]);
  expect(() => widenColumn(decimal, { kind: "decimal", precision: 9, scale: 3 })).toThrow("cannot be read");
  const far = columnOf({ kind: "date" }, [200_000]);
  expect(() => widenColumn(far, { kind: "timestamp_ns" })).toThrow(expect.objectContaining({ kind: "data" }));
});
