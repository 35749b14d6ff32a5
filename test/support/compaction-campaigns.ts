import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { CampaignCounts } from "./compaction-campaign.ts";

const PROCESS = fileURLToPath(new URL("compaction-campaign-process.ts", import.meta.url));

/** What a process says: the counts of all its runs, or the seed of the first that went wrong. */
export type CampaignMessage =
  | { readonly counts: CampaignCounts }
  | { readonly failedSeed: number; readonly reason: string };

/**
 * Runs one campaign a seed, from `firstSeed` on, in as many processes as there are cores.
 * @returns the sums of what they did. @throws an error that names the seed of a run that went wrong
 */
export async function runCampaigns(firstSeed: number, runs: number, commands: number): Promise<CampaignCounts> {
  const step = Math.min(runs, availableParallelism());
  const children = Array.from({ length: step }, (_, at) =>
    fork(PROCESS, [firstSeed + at, firstSeed + runs, step, commands].map(String), { execArgv: [] }),
  );
  try {
    const counts = await Promise.all(children.map(answerOf));
    return counts.reduce((sum, each) => {
      for (const [name, count] of Object.entries(each)) sum[name as keyof CampaignCounts] += count;
      return sum;
    });
  } finally {
    for (const child of children) child.kill("SIGKILL");
  }
}

async function answerOf(child: ChildProcess): Promise<CampaignCounts> {
  const ended = once(child, "exit").then(([code, signal]) => {
    throw new Error(`a process of campaigns ended with ${String(code ?? signal)}`);
  });
  const [message] = (await Promise.race([once(child, "message"), ended])) as [CampaignMessage];
  if ("counts" in message) return message.counts;
  throw new Error(`FRAZIL_COMPACT_SEED=${message.failedSeed} FRAZIL_COMPACT_RUNS=1\n${message.reason}`);
}
