import { expect, test } from "vitest";
import { runCampaign } from "./campaign.ts";
import { commandOf } from "./shrink.ts";
import { CRASH_POINTS } from "./world/crash-points.ts";
import { FAULTS } from "./world/faults.ts";

/** Seeds of each file. Two files, so that two cores work on them; more by hand: `npm run sim -- --from 3000 --seeds 2000`. */
const SEEDS = Number(process.env["FRAZIL_SIM_SEEDS"] ?? 1_000);

/** Where they begin. */
const FIRST = 521;

/** Simulates a share of the seeds of the test command: every promise must hold in each. */
export function testSeeds(share: number): void {
  test(
    `${SEEDS} seeds`,
    async () => {
      // In a process of its own: what stands between modules in tests makes a seed take half as long again.
      const { totals, failures } = await runCampaign({
        from: FIRST + share * SEEDS,
        seeds: SEEDS,
        without: [],
        processes: 1,
        stopAtFirst: true,
      });
      const texts = failures.map(
        ({ seed, text }) => `${text}\nrepeat it: ${commandOf(seed)} --trace; make it smaller: --shrink`,
      );
      expect(texts).toEqual([]);
      process.stdout.write(
        `simulated ${totals.hours.toFixed(0)} h: ${totals.commits} table commits, ` +
          `${sum(totals.faults)} faults, ${sum(totals.crashPoints)} crashes\n`,
      );
      // Not a test of nothing.
      expect(totals.seeds).toBe(SEEDS);
      expect(totals.commits).toBeGreaterThan(SEEDS * 10);
      expect(sum(totals.faults)).toBeGreaterThan(SEEDS * 5);
      expect(sum(totals.crashPoints)).toBeGreaterThan(SEEDS * 3);
      if (SEEDS >= 1_000) {
        expect(FAULTS.filter((fault) => totals.faults[fault] === undefined)).toEqual([]);
        expect(CRASH_POINTS.filter((point) => totals.crashPoints[point] === undefined).length).toBeLessThan(10);
      }
    },
    // Far less than a second each, where the machine has nothing else to do.
    SEEDS * 60_000,
  );
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((all, count) => all + count, 0);
}
