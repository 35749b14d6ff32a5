import { expect, test } from "vitest";
import { runSeed } from "./run-seed.ts";
import { commandOf } from "./shrink.ts";
import { addTotals, noTotals, totalsOf } from "./totals.ts";
import { CRASH_POINTS } from "./world/crash-points.ts";
import { FAULTS } from "./world/faults.ts";

/** Seeds of each file. Two files, so that two cores work on them; more by hand: `npm run sim -- --from 1000 --seeds 2000`. */
const SEEDS = Number(process.env["FRAZIL_SIM_SEEDS"] ?? 260);

/** Simulates a share of the seeds of the test command: every promise must hold in each. */
export function testSeeds(share: number): void {
  test(
    `${SEEDS} seeds`,
    async () => {
      const totals = noTotals();
      for (let seed = share * SEEDS + 1; seed <= (share + 1) * SEEDS; seed++) {
        const result = await runSeed(seed);
        expect(result.failure, `repeat it: ${commandOf(seed)} --trace; make it smaller: --shrink`).toBeNull();
        addTotals(totals, totalsOf(result, FAULTS, 0));
      }
      process.stdout.write(
        `simulated ${totals.hours.toFixed(0)} h: ${totals.commits} table commits, ` +
          `${sum(totals.faults)} faults, ${sum(totals.crashPoints)} crashes\n`,
      );
      // Not a test of nothing.
      expect(totals.commits).toBeGreaterThan(SEEDS * 12);
      expect(sum(totals.faults)).toBeGreaterThan(SEEDS * 5);
      expect(sum(totals.crashPoints)).toBeGreaterThan(SEEDS * 3);
      if (SEEDS >= 260)
        expect(CRASH_POINTS.filter((point) => totals.crashPoints[point] === undefined).length).toBeLessThan(30);
    },
    // A fifth of a second each, where the machine has nothing else to do.
    SEEDS * 60_000,
  );
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((all, count) => all + count, 0);
}
