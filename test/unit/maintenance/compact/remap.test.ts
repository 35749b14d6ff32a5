import fc from "fast-check";
import { expect, it } from "vitest";
import { remapDeaths } from "../../../../src/maintenance/compact/remap.ts";
import { RoaringBitmap } from "../../../../table-format/index.ts";

/** Rows of one input: alive, dead when it was read, or dead since. */
const input = fc.array(fc.constantFrom("live", "out", "since"), { maxLength: 40 });

it("finds rows that died since where brute force finds them, with and without a permutation", () => {
  fc.assert(
    fc.property(
      fc.array(input, { minLength: 1, maxLength: 6 }),
      fc.infiniteStream(fc.nat()),
      fc.boolean(),
      (inputs, numbers, sorts) => {
        const draw = (below: number): number => Number(numbers.next().value) % below;
        const rows = inputs.flatMap((states, file) => states.map((state, row) => ({ state, at: `${file}:${row}` })));
        const kept = rows.filter(({ state }) => state !== "out");
        const order = kept.map((_, number) => number);
        if (sorts) for (let k = order.length - 1; k > 0; k--) swap(order, k, draw(k + 1));
        const outputs: (typeof kept)[] = [[]];
        for (const number of order) {
          if (draw(5) === 0 && outputs.at(-1)?.length !== 0) outputs.push([]);
          outputs.at(-1)?.push(kept[number]!);
        }
        const permutation = new Uint32Array(kept.length);
        for (const [row, number] of order.entries()) permutation[number] = row;
        const found = remapDeaths(
          inputs.map((states) => ({
            rows: states.length,
            deleted: positions(states, (state) => state === "out"),
            dead: positions(states, (state) => state !== "live"),
          })),
          sorts ? permutation : null,
          outputs.map(({ length }) => length),
        );
        expect(found.map((dead) => [...dead.toArray()])).toEqual(
          outputs.map((output) => output.flatMap(({ state }, row) => (state === "since" ? [row] : []))),
        );
      },
    ),
    { numRuns: 300 },
  );
});

function swap(order: number[], a: number, b: number): void {
  [order[a], order[b]] = [order[b]!, order[a]!];
}

function positions(states: readonly string[], has: (state: string) => boolean): RoaringBitmap {
  return RoaringBitmap.from(states.flatMap((state, row) => (has(state) ? [row] : [])));
}
