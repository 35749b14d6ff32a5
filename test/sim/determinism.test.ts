import { expect, test } from "vitest";
import { runSeed } from "./run-seed.ts";

test("an equal seed gives an equal trace, byte by byte, whatever has run before it", { timeout: 120_000 }, async () => {
  for (const seed of [1, 4]) {
    const first = await runSeed(seed, {}, { trace: true });
    await runSeed(seed + 1);
    const second = await runSeed(seed, {}, { trace: true });
    expect(second.lines).toEqual(first.lines);
    expect(second.digest).toBe(first.digest);
    expect(first.lines?.length).toBeGreaterThan(500);
  }
});
