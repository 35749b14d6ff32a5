import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { addTotals, noTotals, type Totals } from "./totals.ts";
import type { Work, Worked } from "./worker.ts";

const WORKER = fileURLToPath(new URL("worker.ts", import.meta.url));
const HOOKS = new URL("broken/hooks.ts", import.meta.url).href;

/** Seeds to simulate, on several processes at once. */
export interface Campaign extends Omit<Work, "from" | "seeds"> {
  readonly from: number;
  readonly seeds: number;
  readonly processes: number;
  /** The broken build to simulate. */
  readonly broken?: string | undefined;
  /** Told of what has been done after each portion. */
  readonly progress?: ((done: Totals) => void) | undefined;
}

/** Simulates a range of seeds in portions. With `stopAtFirst` no portion is begun after a violation. */
export async function runCampaign(campaign: Campaign): Promise<Worked> {
  const { from, seeds, processes, broken, progress, ...work } = campaign;
  const totals = noTotals();
  const failures: Worked["failures"][number][] = [];
  const portion = Math.max(1, Math.min(work.stopAtFirst ? 4 : 50, Math.ceil(seeds / processes / 2)));
  let next = from;
  const one = async (): Promise<void> => {
    const child = fork(WORKER, [], {
      // Room for what lives as long as a seed: most of the collector's work is with what has just been made.
      execArgv: ["--max-semi-space-size=64", ...(broken === undefined ? [] : ["--import", HOOKS])],
      env: broken === undefined ? process.env : { ...process.env, FRAZIL_SIM_BROKEN: broken },
    });
    try {
      while (next < from + seeds && !(work.stopAtFirst && failures.length > 0)) {
        const order: Work = { ...work, from: next, seeds: Math.min(portion, from + seeds - next) };
        next += order.seeds;
        const worked = await ask(child, order);
        addTotals(totals, worked.totals);
        failures.push(...worked.failures);
        progress?.(totals);
      }
    } finally {
      child.kill();
    }
  };
  await Promise.all(Array.from({ length: processes }, one));
  return { totals, failures: failures.toSorted((a, b) => a.seed - b.seed) };
}

function ask(child: ReturnType<typeof fork>, order: Work): Promise<Worked> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`a simulating process ended with ${code}`));
    child.once("exit", onExit);
    child.once("message", (worked) => {
      child.off("exit", onExit);
      resolve(worked as Worked);
    });
    child.send(order);
  });
}
