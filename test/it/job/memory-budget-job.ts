/** The job that `memory-budget.test.ts` measures: `node memory-budget-job.ts <folder> <MiB>`. Prints what it did as one line of JSON. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { holdMemory } from "../../../src/cli/held-memory.ts";
import { upsertRule } from "../../support/checkpoints.ts";
import { numberedSource, runChildJob } from "./child-job.ts";
import { batchOf, END, SPLIT } from "./memory-budget-changes.ts";

const PULL = 20_000;

const [folder = "", memory = "0"] = process.argv.slice(2);
const memoryBytes = Number(memory) * 2 ** 20;
holdMemory(memoryBytes);

/** Keys in files, the most at any commit: such files go again. */
let spilled = 0;
let longestMs = 0;
const summary = await runChildJob(folder, {
  pipeline: "budget",
  rules: [upsertRule("t")],
  intervalMs: 3_600_000,
  maxRows: 1_000_000,
  memoryBytes,
  createSource: (router) =>
    numberedSource(SPLIT, END, async (at) => {
      const length = Math.min(PULL, END - at);
      return { changes: [batchOf(at, length, router)], next: at + length };
    }),
  committed({ prepareMs, commitMs }) {
    const files = readdirSync(join(folder, "keys"), { recursive: true }).filter((name) =>
      String(name).endsWith(".keys"),
    );
    spilled = Math.max(spilled, files.length);
    longestMs = Math.max(longestMs, prepareMs + commitMs);
  },
});
console.log(
  JSON.stringify({
    reason: summary.reason,
    checkpoints: summary.checkpoints,
    checkpointMs: Math.round(summary.prepareMs + summary.commitMs),
    longestMs: Math.round(longestMs),
    spilled,
    peakRssMib: Math.round(process.resourceUsage().maxRSS / 1_024),
  }),
);
