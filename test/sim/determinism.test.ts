import { expect, test } from "vitest";
import { runSeed } from "./run-seed.ts";
import { type Part, settingsOf } from "./world/settings.ts";

test("an equal seed gives an equal trace, byte by byte, whatever has run before it", { timeout: 600_000 }, async () => {
  const withPart = (part: Part): number =>
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].find((seed) => settingsOf(seed).parts.has(part)) ?? 1;
  for (const seed of new Set([1, withPart("key-cache"), withPart("branch"), withPart("put-back")])) {
    const first = await runSeed(seed, { transactions: 40 }, { trace: true });
    await runSeed(seed + 1, { transactions: 20 });
    const second = await runSeed(seed, { transactions: 40 }, { trace: true });
    expect(second.lines).toEqual(first.lines);
    expect(second.digest).toBe(first.digest);
    expect(first.lines?.length).toBeGreaterThan(300);
  }
});
