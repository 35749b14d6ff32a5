import { runSeed, type SeedResult } from "./run-seed.ts";
import { type Given, type Part, PARTS, settingsOf } from "./world/settings.ts";

/** A failing seed, made smaller. */
export interface Shrunk {
  readonly given: Given;
  readonly result: SeedResult;
}

/**
 * Makes a failure smaller: leaves out one part after the other, and transactions at the end, as long as the same promise is broken.
 * @param progress told of each thing that could be left out
 * @param run simulates the seed with what is left
 */
export async function shrink(
  failed: SeedResult,
  progress: (text: string) => void = () => undefined,
  run: (seed: number, given: Given) => Promise<SeedResult> = runSeed,
): Promise<Shrunk> {
  const { seed } = failed;
  let best: Shrunk = { given: {}, result: failed };
  const better = async (given: Given): Promise<boolean> => {
    const result = await run(seed, given);
    if (result.failure === null || result.failure.rule !== failed.failure?.rule) return false;
    best = { given, result };
    return true;
  };
  const drawn = settingsOf(seed);
  for (const part of PARTS.filter((each) => drawn.parts.has(each))) {
    const without: readonly Part[] = [...(best.given.without ?? []), part];
    if (await better({ ...best.given, without })) progress(`without ${part}`);
  }
  for (let transactions = drawn.transactions; transactions > 1;) {
    const fewer = Math.floor(transactions / 2);
    if (!(await better({ ...best.given, transactions: fewer }))) break;
    transactions = fewer;
    progress(`with ${fewer} transactions`);
  }
  return best;
}

/** The command that repeats a run. */
export function commandOf(seed: number, { without = [], transactions, checkpoints }: Given = {}): string {
  const options = [
    `--from ${seed} --seeds 1`,
    ...(without.length === 0 ? [] : [`--without ${without.join(",")}`]),
    ...(transactions === undefined ? [] : [`--transactions ${transactions}`]),
    ...(checkpoints === undefined ? [] : [`--checkpoints ${checkpoints}`]),
  ];
  return `npm run sim -- ${options.join(" ")}`;
}
