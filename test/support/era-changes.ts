import type { PrimitiveType } from "../../table-format/index.ts";
import type { ChangeColumn } from "../../src/core/change-batch.ts";
import { Crash, type EraChange, type RunGiven } from "./table-chain.ts";

function columns(...pairs: readonly (readonly [string, PrimitiveType["kind"]])[]): ChangeColumn[] {
  return pairs.map(([name, kind]) => ({ name, type: { kind } as PrimitiveType, required: name === "id" }));
}

/** The table's columns in the course of time: one is added, another becomes wider. */
export const ERAS = [
  columns(["id", "long"], ["count", "int"]),
  columns(["id", "long"], ["count", "int"], ["note", "string"]),
  columns(["id", "long"], ["count", "long"], ["note", "string"]),
] as const;

/** Changes over all eras, in their order. */
export function randomEraChanges(random: { uint32(): number }, count: number): EraChange[] {
  return Array.from({ length: count }, (_, index): EraChange => {
    const era = Math.min(2, Math.floor((index * 3) / count));
    const id = BigInt(random.uint32() % 30) + 2n ** 60n;
    const number = random.uint32() % 1_000;
    const all = [id, era === 2 ? BigInt(number) : number, random.uint32() % 3 === 0 ? null : `n${number}`];
    const die = random.uint32() % 100;
    const op = die === 0 ? "truncate" : die < 20 ? "delete" : die < 60 ? "insert" : "update";
    return { op, columns: ERAS[era] as ChangeColumn[], values: all.slice(0, ERAS[era]?.length) };
  });
}

/** Runs again and again, over crashes and runs that end in the middle of a snapshot's changes. */
export async function throughCrashes(
  random: { uint32(): number },
  run: (given: RunGiven) => Promise<unknown>,
): Promise<number> {
  for (let crashes = 0, runs = 0; ; runs++) {
    const crashAfter = runs < 6 ? random.uint32() % 25 : null;
    const maxRows = runs < 4 && random.uint32() % 2 === 0 ? 1 + (random.uint32() % 12) : null;
    try {
      await run({ seed: random.uint32(), crashAfter, maxRows, checkpointRows: 1 + (random.uint32() % 20) });
      if (maxRows === null) return crashes;
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      crashes++;
    }
  }
}
