import { expect, test } from "vitest";
import type { SeedResult } from "./run-seed.ts";
import { commandOf, shrink } from "./shrink.ts";
import { type Given, type Part, settingsOf } from "./world/settings.ts";

const SEED = 3;
const NEEDED: readonly Part[] = [...settingsOf(SEED).parts].filter((_, index) => index % 5 === 0);
const NEEDED_TRANSACTIONS = 7;

/** A run that breaks a promise only with some of the parts and with enough transactions, and another one without one of them. */
async function run(seed: number, { without = [], transactions = 1_000 }: Given): Promise<SeedResult> {
  const isWhole = NEEDED.every((part) => !without.includes(part));
  const rule = !isWhole ? "another one" : transactions < NEEDED_TRANSACTIONS ? null : "broken";
  return {
    ...{ seed, digest: "", hours: 0, snapshots: 0, turns: 0, counts: new Map(), crashes: new Map(), lines: null },
    failure: rule === null ? null : { rule, text: rule },
  };
}

test("a failing seed is made smaller as long as the same rule breaks", async () => {
  const { given, result } = await shrink(await run(SEED, {}), undefined, run);
  const { parts, transactions } = settingsOf(SEED, given);
  expect(NEEDED.length).toBeGreaterThan(3);
  expect([...parts].toSorted()).toEqual([...NEEDED].toSorted());
  expect(transactions).toBeGreaterThanOrEqual(NEEDED_TRANSACTIONS);
  expect(transactions).toBeLessThan(2 * NEEDED_TRANSACTIONS);
  expect(result.failure?.rule).toBe("broken");
  expect(commandOf(SEED, given)).toBe(
    `npm run sim -- --from ${SEED} --seeds 1 --without ${(given.without ?? []).join(",")} --transactions ${transactions}`,
  );
});
