import fc from "fast-check";
import { expect, it } from "vitest";
import { ExternalSort } from "../../../../src/maintenance/compact/external-sort.ts";
import { type KeyedBatch, numbersOf, sortedByKey } from "../../../../src/maintenance/compact/merge-runs.ts";
import { keyColumn, orderKeys } from "../../../../src/maintenance/compact/sort-keys.ts";
import { sharedBits, zOrderKeys } from "../../../../src/maintenance/compact/z-order.ts";
import { createMemoryStorage } from "../../../../src/storage/memory.ts";
import {
  cellAt,
  type Column,
  compareValues,
  encodeValue,
  rowOrder,
  type Schema,
  type SortField,
  type SortOrder,
  sortRows,
  type Value,
} from "../../../../table-format/index.ts";
import { ALL_TYPES, anyRows, columnOf } from "../../table-format/columns.ts";
import { dataFile } from "../../table-format/data-file.ts";

const numbered = (count: number) => Uint32Array.from({ length: count }, (_, row) => row);
const LONG = { kind: "long" } as const;
const NO_REST = { breathe: async () => undefined };

function term(sourceId: number, transform: string, direction: SortField["direction"], first: boolean): SortField {
  return { sourceId, transform, direction, nullOrder: first ? "nulls-first" : "nulls-last" };
}

it.each(ALL_TYPES)("bytes of keys stand as rows of %o do, whatever follows them", (type) => {
  const direction = fc.constantFrom("asc" as const, "desc" as const);
  fc.assert(
    fc.property(
      anyRows(type, 30),
      fc.array(fc.nat(3), { minLength: 30 }),
      direction,
      fc.boolean(),
      (a, b, way, first) => {
        const columns = [
          columnOf(type, a),
          columnOf(
            LONG,
            a.map((_, row) => BigInt(b[row]!)),
          ),
        ];
        const order: SortOrder = {
          orderId: 1,
          fields: [term(0, "identity", way, first), term(1, "identity", "desc", true)],
        };
        const of = (id: number): Column => columns[id]!;
        const keys = keyColumn(a.length, orderKeys(order, of));
        expect(sortedByKey(keys)).toEqual(sortRows(numbered(a.length), rowOrder(order, of)));
      },
    ),
  );
});

it.each(["bucket[4]", "truncate[3]"])("orders by %s", (transform) => {
  fc.assert(
    fc.property(anyRows({ kind: "string" }, 30), (values) => {
      const column = columnOf({ kind: "string" }, values);
      const order: SortOrder = { orderId: 1, fields: [term(0, transform, "asc", false)] };
      const keys = keyColumn(
        values.length,
        orderKeys(order, () => column),
      );
      expect(sortedByKey(keys)).toEqual(
        sortRows(
          numbered(values.length),
          rowOrder(order, () => column),
        ),
      );
    }),
  );
});

const SCHEMA: Schema = {
  schemaId: 0,
  fields: [{ id: 1, name: "v", required: false, type: LONG }],
  identifierFieldIds: [],
};

/** Batches of longs with their keys and numbers, sorted. @returns values and row numbers. */
async function externally(batches: readonly (readonly (bigint | null)[])[], memoryBytes: number) {
  const io = createMemoryStorage();
  const sort = new ExternalSort({ io, folder: "mem://scratch" }, SCHEMA, memoryBytes, NO_REST);
  const order: SortOrder = { orderId: 1, fields: [term(1, "identity", "asc", true)] };
  let number = 0;
  for (const values of batches) {
    const column = columnOf(LONG, values);
    const numbers = columnOf(
      { kind: "int" },
      values.map(() => number++),
    );
    const keys = keyColumn(
      values.length,
      orderKeys(order, () => column),
    );
    await sort.add({ length: values.length, columns: [column, keys, numbers] });
  }
  const out: KeyedBatch[] = await Array.fromAsync(sort.sorted());
  const left = await Array.fromAsync(io.list("mem://scratch"));
  expect(left).toEqual([]);
  return {
    runs: sort.runsWritten,
    rows: out.flatMap((batch) =>
      [...numbersOf(batch)].map((row, at) => [cellAt(batch.columns[0]!, at) as bigint | null, row] as const),
    ),
  };
}

it("sorts beyond its memory as within it, stably", async () => {
  const value = fc.option(fc.bigInt({ min: 0n, max: 20n }));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(value, { maxLength: 12 }), { maxLength: 12 }), async (batches) => {
      const whole = await externally(batches, 1 << 26);
      expect(whole.runs).toBe(0);
      const rows = batches.flat().map((each, row) => [each, row] as const);
      const expected = rows.toSorted(([a], [b]) => Number((a ?? -1n) - (b ?? -1n)));
      expect(whole.rows).toEqual(expected);
      expect((await externally(batches, 64)).rows).toEqual(expected);
    }),
    { numRuns: 30 },
  );
});

it("merges more runs than it reads at a time in several passes", async () => {
  const batches = Array.from({ length: 150 }, (_, batch) => [BigInt((batch * 37) % 150), 7n]);
  const { rows, runs } = await externally(batches, 64);
  expect(runs).toBeGreaterThan(151);
  const expected = batches.flat().map((value, row) => [value, row] as const);
  expect(rows).toEqual(expected.toSorted(([a], [b]) => Number(a - b)));
});

function zOrdered(
  types: readonly (typeof ALL_TYPES)[number][],
  columns: readonly (readonly (Value | null)[])[],
): number[] {
  const fields = types.map((type, k) => ({ id: k + 1, name: `c${k}`, required: false, type }));
  const schema: Schema = { schemaId: 0, fields, identifierFieldIds: [] };
  const bounds = (pick: 1 | -1) =>
    new Map(
      columns.flatMap((values, k): [number, Uint8Array][] => {
        const [first] = values
          .filter((value) => value !== null)
          .toSorted((a, b) => pick * compareValues(types[k]!, a, b));
        return first === undefined ? [] : [[k + 1, encodeValue(types[k]!, first)]];
      }),
    );
  const file = dataFile({ lowerBounds: bounds(1), upperBounds: bounds(-1), recordCount: BigInt(columns[0]!.length) });
  const made = columns.map((values, k) => columnOf(types[k]!, values));
  const shared = sharedBits(
    schema,
    fields.map(({ id }) => id),
    [file],
  );
  const count = columns[0]!.length;
  return [
    ...sortedByKey(
      keyColumn(
        count,
        zOrderKeys(shared, (id) => made[id - 1]!),
      ),
    ),
  ];
}

it.each(ALL_TYPES)("a z-order of one column of %o goes up with its values, as far as 32 bits tell", (type) => {
  fc.assert(
    fc.property(anyRows(type, 20), (values) => {
      if (values.every((value) => value === null)) return;
      const order = zOrdered([type], [values]).map((row) => values[row] as Value | null);
      const some = order.filter((value) => value !== null);
      // The bits behind what all share tell the extremes apart: what is no further than either stands at its end.
      const [low, high] = [some[0] ?? null, some.at(-1) ?? null];
      if (low !== null && high !== null) expect(compareValues(type, low, high)).toBeLessThanOrEqual(0);
    }),
  );
});

it("keeps points together that are near in both columns, where ids and texts share long beginnings", () => {
  const side = 32;
  const points = Array.from({ length: side * side }, (_, k) => ({ x: (k * 7) % side, y: Math.floor(k / side) }));
  const order = zOrdered(
    [LONG, { kind: "string" }],
    [points.map(({ x }) => BigInt(1_000_000 + x)), points.map(({ y }) => `customer-${String.fromCharCode(64 + y)}`)],
  );
  // Sixteen files of 64 points: a square of eight by eight each, where a sort by one column would span all of the other.
  for (let start = 0; start < order.length; start += 64) {
    const some = order.slice(start, start + 64).map((row) => points[row]!);
    const span = (values: number[]): number => Math.max(...values) - Math.min(...values) + 1;
    expect([span(some.map(({ x }) => x)), span(some.map(({ y }) => y))]).toEqual([8, 8]);
  }
});
