import { expect, test } from "vitest";
import { runSeed } from "./run-seed.ts";

test("an equal seed gives an equal trace, byte by byte, whatever has run before it", { timeout: 600_000 }, async () => {
  for (const seed of [1, 4]) {
    const first = await runSeed(seed, { transactions: 40 }, { trace: true });
    await runSeed(seed + 1, { transactions: 20 });
    const second = await runSeed(seed, { transactions: 40 }, { trace: true });
    expect(second.lines).toEqual(first.lines);
    expect(second.digest).toBe(first.digest);
    expect(first.lines?.length).toBeGreaterThan(300);
  }
});
