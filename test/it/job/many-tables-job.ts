/** The job that `many-tables.test.ts` measures: `node many-tables-job.ts <folder>`. Prints what it did as one line of JSON. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { createRuntime } from "../../../src/cli/runtime.ts";
import { warehouseAt } from "../../../src/config/load.ts";
import { must } from "../../../src/core/errors.ts";
import type { Source } from "../../../src/core/source.ts";
import type { TableRouter } from "../../../src/core/table-binding.ts";
import { runJob } from "../../../src/pipeline/run-job.ts";
import { openWarehouse } from "../../../src/warehouse.ts";
import { upsertRule } from "../../support/checkpoints.ts";
import { batchesOf, MEMORY_BYTES, PULLS, SPLIT, TABLES } from "./many-tables-changes.ts";

const folder = process.argv[2] ?? "";

/** Names of the tables, and by number or name the checkpoint that its last change was read for, and the one that it was last committed with. */
const targets = new Map<number, string>();
const read = new Map<number, number>();
const committed = new Map<string, number>();
let checkpoint = 0;

/** A point is a number of pulls. */
function source(router: TableRouter): Source {
  for (let table = 0; table < TABLES; table++) {
    const binding = must(router.byStream(`t${table}`), "an entry of tables:");
    targets.set(binding.table, binding.target);
  }
  return {
    open: async () => undefined,
    startPosition: async () => new Map([[SPLIT, "0"]]),
    endPosition: async () => new Map([[SPLIT, String(PULLS)]]),
    comparePoints: (a, b) => Number(a) - Number(b),
    acknowledge: async () => undefined,
    close: async () => undefined,
    async *read(from, signal) {
      for (let pull = Number(from.get(SPLIT) ?? 0); pull < PULLS && !signal.aborted; pull++) {
        const changes = batchesOf(pull, router);
        for (const { table } of changes) read.set(table, checkpoint + 1);
        const records = changes.reduce((sum, { length }) => sum + length, 0);
        yield { changes, ends: new Map([[SPLIT, String(pull + 1)]]), records };
      }
    },
  };
}

const runtime = createRuntime({ debug() {}, info() {}, warn() {}, error() {} }, undefined);
const warehouse = await openWarehouse(warehouseAt(join(folder, "lake"), {}), runtime, "create");
const keyCache = join(folder, "keys");
const summary = await runJob({
  pipeline: "many",
  rules: [{ ...upsertRule("t*"), to: "shop.${table}" }],
  checkpoint: { intervalMs: 1_000, maxRows: 60_000, maxSizeBytes: 1 << 28, idleCommitMs: 3_600_000 },
  memoryBytes: MEMORY_BYTES,
  keyCache,
  warehouseLocation: warehouse.location,
  catalog: warehouse.catalog,
  io: warehouse.io,
  runtime,
  createSource: source,
  end: { caughtUp: true, afterMs: null, maxRows: null },
  stop: new AbortController().signal,
  observer: {
    started() {},
    progress() {},
    notice() {},
    committed(event) {
      checkpoint = Number(event.checkpoint);
      committed.set(event.table, checkpoint);
    },
  },
});
const spilled = readdirSync(keyCache, { recursive: true }).filter((name) => String(name).endsWith(".keys"));
console.log(
  JSON.stringify({
    reason: summary.reason,
    checkpoints: summary.checkpoints,
    seconds: Math.round(summary.durationMs / 1_000),
    spilled: spilled.length,
    peakRssMib: Math.round(process.resourceUsage().maxRSS / 1_024),
    read: Object.fromEntries([...read].map(([table, last]) => [targets.get(table), last])),
    committed: Object.fromEntries(committed),
  }),
);
