import fc from "fast-check";
import { expect, test } from "vitest";
import { RoaringBitmap } from "../../../../table-format/puffin/roaring.ts";

/** Sparse positions, runs, and blocks dense enough for the bitmap form, around the seams between containers. */
const positions = fc
  .array(
    fc.oneof(
      fc.array(fc.integer({ min: 0, max: 0xffffffff }), { maxLength: 20 }),
      fc
        .tuple(
          fc.constantFrom(0, 65_000, 65_536, 131_000, 0xffff0000),
          fc.integer({ min: 1, max: 6000 }),
          fc.constantFrom(1, 2, 9),
        )
        .map(([start, count, step]) =>
          Array.from({ length: count }, (_, i) => start + i * step).filter((position) => position <= 0xffffffff),
        ),
    ),
    { maxLength: 4 },
  )
  .map((parts) => parts.flat());

const ascending = (set: Iterable<number>) => [...set].toSorted((a, b) => a - b);
const runs = { numRuns: 60 };

test("holds what a set holds, in any order of additions", () => {
  fc.assert(
    fc.property(positions, fc.array(fc.integer({ min: 0, max: 0xffffffff })), (added, probes) => {
      const bitmap = RoaringBitmap.from(added);
      const set = new Set(added);
      expect(bitmap.cardinality).toBe(set.size);
      expect([...bitmap.toArray()]).toEqual(ascending(set));
      for (const probe of [...probes, ...added.slice(0, 50)]) expect(bitmap.has(probe)).toBe(set.has(probe));
    }),
    runs,
  );
});

test("rank counts the positions below", () => {
  fc.assert(
    fc.property(positions, fc.array(fc.integer({ min: 0, max: 0xffffffff }), { maxLength: 20 }), (added, probes) => {
      const bitmap = RoaringBitmap.from(added);
      const sorted = ascending(new Set(added));
      for (const probe of [...probes, ...added.slice(0, 20)]) {
        expect(bitmap.rank(probe)).toBe(sorted.filter((position) => position < probe).length);
      }
    }),
    runs,
  );
});

test("union and difference are those of sets and change neither side", () => {
  fc.assert(
    fc.property(positions, positions, (left, right) => {
      const a = RoaringBitmap.from(left);
      const b = RoaringBitmap.from(right);
      const before = [a.serialize(), b.serialize()];
      const union = a.union(b);
      const difference = a.difference(b);
      expect([...union.toArray()]).toEqual(ascending(new Set(left).union(new Set(right))));
      expect([...difference.toArray()]).toEqual(ascending(new Set(left).difference(new Set(right))));
      for (const result of [union, difference, a.clone()]) result.add(77_777);
      expect([a.serialize(), b.serialize()]).toEqual(before);
    }),
    runs,
  );
});

test("the portable format comes back, also after further additions", () => {
  fc.assert(
    fc.property(positions, positions, (first, more) => {
      const back = RoaringBitmap.deserialize(RoaringBitmap.from(first).serialize());
      expect([...back.toArray()]).toEqual(ascending(new Set(first)));
      for (const position of more) back.add(position);
      expect([...back.toArray()]).toEqual(ascending(new Set([...first, ...more])));
    }),
    runs,
  );
});

test("a bitmap leaves the bytes that it was read from as they are, wherever they begin", () => {
  fc.assert(
    fc.property(positions, positions, fc.nat(7), (first, more, offset) => {
      const bytes = RoaringBitmap.from(first).serialize();
      const shifted = new Uint8Array(bytes.length + 8).subarray(offset, offset + bytes.length);
      shifted.set(bytes);
      const back = RoaringBitmap.deserialize(shifted);
      const copy = back.clone();
      for (const position of more) back.add(position);
      for (const position of more) copy.add(position);
      expect(shifted).toEqual(bytes);
      expect([...back.toArray()]).toEqual(ascending(new Set([...first, ...more])));
      expect(copy.serialize()).toEqual(back.serialize());
    }),
    runs,
  );
});

test("values that do not ascend are refused", () => {
  const bytes = RoaringBitmap.from([1, 2, 3, 9]).serialize();
  const last = bytes.length - 2;
  for (const value of [3, 2, 0]) {
    bytes[last] = value;
    expect(() => RoaringBitmap.deserialize(bytes)).toThrow(`expected ascending values, found ${value}`);
  }
});

test("damaged bytes are refused or decoded, never anything else", () => {
  const bytes = RoaringBitmap.from([
    1,
    2,
    3,
    70_000,
    ...Array.from({ length: 5000 }, (_, i) => 200_000 + 2 * i),
  ]).serialize();
  fc.assert(
    fc.property(
      fc.nat(Math.min(60, bytes.length - 1)),
      fc.integer({ min: 1, max: 255 }),
      fc.nat(100),
      (at, flip, cut) => {
        const broken = bytes.slice(0, bytes.length - cut);
        broken[at]! ^= flip;
        try {
          RoaringBitmap.deserialize(broken);
        } catch (error) {
          expect(error).toMatchObject({ name: "FrazilError", kind: "corrupt" });
        }
      },
    ),
    { numRuns: 500 },
  );
});

test.each([0, 1, 31, 32, 4096, 4097, 65_535, 65_536, 65_537, 200_000])(
  "range(%i) holds every position below",
  (end) => {
    const bitmap = RoaringBitmap.range(end);
    expect(bitmap.cardinality).toBe(end);
    expect([...bitmap.toArray()]).toEqual(Array.from({ length: end }, (_, i) => i));
  },
);
