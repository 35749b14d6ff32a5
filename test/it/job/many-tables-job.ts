/** The job that `many-tables.test.ts` measures: `node many-tables-job.ts <folder>`. Prints what it did as one line of JSON. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { holdMemory } from "../../../src/cli/held-memory.ts";
import { must } from "../../../src/core/errors.ts";
import type { TableRouter } from "../../../src/core/table-binding.ts";
import { upsertRule } from "../../support/checkpoints.ts";
import { numberedSource, runChildJob } from "./child-job.ts";
import { batchesOf, MEMORY_BYTES, PULLS, SPLIT, TABLES } from "./many-tables-changes.ts";

const folder = process.argv[2] ?? "";
holdMemory(MEMORY_BYTES);

/** Names of the tables, and by number or name the checkpoint that its last change was read for, and the one that it was last committed with. */
const targets = new Map<number, string>();
const read = new Map<number, number>();
const committed = new Map<string, number>();
let checkpoint = 0;

function source(router: TableRouter) {
  for (let table = 0; table < TABLES; table++) {
    const binding = must(router.byStream(`t${table}`), "an entry of tables:");
    targets.set(binding.table, binding.target);
  }
  return numberedSource(SPLIT, PULLS, async (pull) => {
    const changes = batchesOf(pull, router);
    for (const { table } of changes) read.set(table, checkpoint + 1);
    return { changes, next: pull + 1 };
  });
}

const summary = await runChildJob(folder, {
  pipeline: "many",
  rules: [{ ...upsertRule("t*"), to: "shop.${table}" }],
  intervalMs: 1_000,
  maxRows: 60_000,
  memoryBytes: MEMORY_BYTES,
  createSource: source,
  committed(event) {
    checkpoint = Number(event.checkpoint);
    committed.set(event.table, checkpoint);
  },
});
const spilled = readdirSync(join(folder, "keys"), { recursive: true }).filter((name) => String(name).endsWith(".keys"));
console.log(
  JSON.stringify({
    reason: summary.reason,
    checkpoints: summary.checkpoints,
    spilled: spilled.length,
    peakRssMib: Math.round(process.resourceUsage().maxRSS / 1_024),
    read: Object.fromEntries([...read].map(([table, last]) => [targets.get(table), last])),
    committed: Object.fromEntries(committed),
  }),
);
