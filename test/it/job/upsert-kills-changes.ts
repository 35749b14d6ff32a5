import type { ScriptedChange } from "../../support/script-source.ts";

export const SPLIT = "t/0";

/** Change number `i` of the changelog: most hit keys that the table was filled with, some are of new ones, one in eleven deletes. */
export function changeAt(i: number, keys: number): ScriptedChange {
  const id = BigInt(Math.imul(i, 0x9e3779b1) >>> 0) % BigInt(Math.floor(keys * 1.05));
  return { stream: "t", op: i % 11 === 10 ? "delete" : "update", id, part: "changed", value: BigInt(i) };
}
