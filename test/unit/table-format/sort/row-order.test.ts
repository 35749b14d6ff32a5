import fc from "fast-check";
import { expect, it } from "vitest";
import type { Value } from "../../../../table-format/manifest/data-file.ts";
import type { SortField } from "../../../../table-format/metadata/table-metadata.ts";
import { applyTransform, parseTransform, transformResultType } from "../../../../table-format/partition/transform.ts";
import { rowOrder, sortRows } from "../../../../table-format/sort/row-order.ts";
import type { PrimitiveType } from "../../../../table-format/schema/types.ts";
import { compareValues } from "../../../../table-format/values/single-value.ts";
import { ALL_TYPES, anyRows, columnOf } from "../columns.ts";

const field = (transform: string, direction: SortField["direction"], nullOrder: SortField["nullOrder"]): SortField => ({
  sourceId: 1,
  transform,
  direction,
  nullOrder,
});
const rowsTo = (count: number) => Uint32Array.from({ length: count }, (_, row) => row);

function sorted(type: PrimitiveType, values: readonly (Value | null)[], ...fields: SortField[]): (Value | null)[] {
  const column = columnOf(type, values);
  const order = rowOrder({ orderId: 1, fields }, () => column);
  return [...sortRows(rowsTo(values.length), order)].map((row) => values[row] as Value | null);
}

it.each(ALL_TYPES)("rows of %o stand as their values do, equal ones as they stood", (type) => {
  const directions = fc.constantFrom("asc" as const, "desc" as const);
  const nulls = fc.constantFrom("nulls-first" as const, "nulls-last" as const);
  fc.assert(
    fc.property(anyRows(type, 40), directions, nulls, (values, direction, nullOrder) => {
      const column = columnOf(type, values);
      const order = rowOrder({ orderId: 1, fields: [field("identity", direction, nullOrder)] }, () => column);
      const found = [...sortRows(rowsTo(values.length), order)];
      const sign = direction === "asc" ? 1 : -1;
      const expected = [...rowsTo(values.length)].sort((a, b) => {
        const [x, y] = [values[a] as Value | null, values[b] as Value | null];
        if (x === null || y === null) {
          const nullFirst = Number(y === null) - Number(x === null);
          return nullOrder === "nulls-first" ? nullFirst : -nullFirst;
        }
        return sign * compareValues(type, x, y);
      });
      expect(found).toEqual(expected);
    }),
    { numRuns: 60 },
  );
});

it("floats stand from -infinity over -0 and 0 to NaN", () => {
  const values = [NaN, 0, Infinity, -0, -1, -Infinity, null, 5e-324];
  const rising = [-Infinity, -1, -0, 0, 5e-324, Infinity, NaN];
  expect(sorted({ kind: "double" }, values, field("identity", "asc", "nulls-last"))).toEqual([...rising, null]);
  expect(sorted({ kind: "double" }, values, field("identity", "desc", "nulls-last"))).toEqual([
    ...rising.toReversed(),
    null,
  ]);
});

it("texts stand by code point, not by UTF-16 unit", () => {
  const values = ["\u{1F600}", "\uFFFD", "é", "e", "", "e\0", "zebra", "zebr", "Z"];
  const expected = ["", "Z", "e", "e\0", "zebr", "zebra", "é", "\uFFFD", "\u{1F600}"];
  expect(sorted({ kind: "string" }, values, field("identity", "asc", "nulls-first"))).toEqual(expected);
});

it.each(["bucket[3]", "truncate[10]", "void"])(
  "rows stand by what %s makes of them, then by the next field",
  (text) => {
    const transform = parseTransform(text);
    const type: PrimitiveType = { kind: "long" };
    const result = transformResultType(transform, type);
    fc.assert(
      fc.property(anyRows(type, 30), (values) => {
        const found = sorted(type, values, field(text, "asc", "nulls-first"), field("identity", "desc", "nulls-last"));
        for (const [k, next] of found.slice(1).entries()) {
          const [a, b] = [found[k] as Value | null, next];
          const [x, y] = [applyTransform(transform, type, a), applyTransform(transform, type, b)];
          const by = x === null ? Number(y === null) - 1 : y === null ? 1 : compareValues(result, x, y);
          if (text !== "void") expect(by).toBeLessThanOrEqual(0);
          if ((by === 0 || text === "void") && a !== null && b !== null) {
            expect(compareValues(type, a, b)).toBeGreaterThanOrEqual(0);
          }
        }
      }),
      { numRuns: 60 },
    );
  },
);
