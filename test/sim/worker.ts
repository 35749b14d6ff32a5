import { runSeed } from "./run-seed.ts";
import { FAULTS } from "./world/faults.ts";
import type { Part } from "./world/settings.ts";
import { addTotals, noTotals, type Totals, totalsOf } from "./totals.ts";

/** Seeds for one process. */
export interface Work {
  readonly from: number;
  readonly seeds: number;
  readonly without: readonly Part[];
  readonly transactions?: number | undefined;
  readonly checkpoints?: number | undefined;
  /** Ends at the first violation. */
  readonly stopAtFirst: boolean;
}

/** What became of them. */
export interface Worked {
  readonly totals: Totals;
  readonly failures: readonly { readonly seed: number; readonly rule: string; readonly text: string }[];
}

/** Simulates a range of seeds, one after the other. */
export async function work({ from, seeds, without, transactions, checkpoints, stopAtFirst }: Work): Promise<Worked> {
  const totals = noTotals();
  const failures: { seed: number; rule: string; text: string }[] = [];
  for (let seed = from; seed < from + seeds; seed++) {
    const before = process.cpuUsage();
    const result = await runSeed(seed, { without, transactions, checkpoints });
    const used = process.cpuUsage(before);
    addTotals(totals, totalsOf(result, FAULTS, (used.user + used.system) / 1_000_000));
    if (result.failure === null) continue;
    failures.push({ seed, ...result.failure });
    if (stopAtFirst) break;
  }
  return { totals, failures };
}

// Refusals are daily life here, and collecting a stack takes longer than all else of them. One seed alone tells where it came from.
Error.stackTraceLimit = 0;

process.on("message", (order: Work) => {
  void work(order).then((worked) => process.send?.(worked));
});
