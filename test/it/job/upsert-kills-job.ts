/** The job that `upsert-kills.test.ts` kills: `node upsert-kills-job.ts <folder> <keys> <end>`. Says when it has committed first. */
import { setTimeout as sleep } from "node:timers/promises";
import { upsertRule } from "../../support/checkpoints.ts";
import { batches } from "../../support/script-source.ts";
import { numberedSource, runChildJob } from "./child-job.ts";
import { changeAt, SPLIT } from "./upsert-kills-changes.ts";

/** Changes a pull, and the rest between two pulls: a kill finds a checkpoint at any of its steps. */
const PULL = 2_000;
const REST_MS = 20;

const [folder = "", keys = "0", end = "0"] = process.argv.slice(2);

const startedMs = performance.now();
let first = true;
const summary = await runChildJob(folder, {
  pipeline: "kills",
  rules: [upsertRule("t")],
  intervalMs: 500,
  maxRows: 20_000,
  // Far less than the keys take: they lie in files.
  memoryBytes: 1 << 23,
  createSource: (router) =>
    numberedSource(SPLIT, Number(end), async (at) => {
      if (at > 0) await sleep(REST_MS);
      const length = Math.min(PULL, Number(end) - at);
      const changes = Array.from({ length }, (_, index) => changeAt(at + index, Number(keys)));
      return { changes: batches(SPLIT, changes, at, router), next: at + length };
    }),
  committed() {
    if (first) console.log(`committed first after ${(performance.now() - startedMs).toFixed(0)} ms`);
    first = false;
  },
});
console.log(`ended ${summary.reason}`);
