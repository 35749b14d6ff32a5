/** The job that `upsert-kills.test.ts` kills: `node upsert-kills-job.ts <folder> <keys> <end>`. Says when it has committed first. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createRuntime } from "../../../src/cli/runtime.ts";
import { warehouseAt } from "../../../src/config/load.ts";
import type { Source } from "../../../src/core/source.ts";
import type { TableRouter } from "../../../src/core/table-binding.ts";
import { runJob } from "../../../src/pipeline/run-job.ts";
import { openWarehouse } from "../../../src/warehouse.ts";
import { upsertRule } from "../../support/checkpoints.ts";
import { batches } from "../../support/script-source.ts";
import { changeAt, SPLIT } from "./upsert-kills-changes.ts";

/** Changes a pull, and the rest between two pulls: a kill finds a checkpoint at any of its steps. */
const PULL = 2_000;
const REST_MS = 20;

const [folder = "", keys = "0", end = "0"] = process.argv.slice(2);

/** The changes from a point on, up to `end`. */
function source(router: TableRouter): Source {
  return {
    open: async () => undefined,
    startPosition: async () => new Map([[SPLIT, "0"]]),
    endPosition: async () => new Map([[SPLIT, end]]),
    comparePoints: (a, b) => Number(a) - Number(b),
    acknowledge: async () => undefined,
    close: async () => undefined,
    async *read(from, signal) {
      for (let at = Number(from.get(SPLIT) ?? 0); at < Number(end) && !signal.aborted;) {
        const length = Math.min(PULL, Number(end) - at);
        const changes = Array.from({ length }, (_, index) => changeAt(at + index, Number(keys)));
        at += length;
        const ends = new Map([[SPLIT, String(at)]]);
        yield { changes: batches(SPLIT, changes, at - length, router), ends, records: length };
        await sleep(REST_MS);
      }
    },
  };
}

const runtime = createRuntime({ debug() {}, info() {}, warn() {}, error() {} }, undefined);
const warehouse = await openWarehouse(warehouseAt(join(folder, "lake"), {}), runtime, "create");
const startedMs = performance.now();
let first = true;
const summary = await runJob({
  pipeline: "kills",
  rules: [upsertRule("t")],
  checkpoint: { intervalMs: 500, maxRows: 20_000, maxSizeBytes: 1 << 26, idleCommitMs: 3_600_000 },
  // Far less than the keys take: they lie in files.
  memoryBytes: 1 << 23,
  keyCache: join(folder, "keys"),
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
    committed() {
      if (first) console.log(`committed first after ${(performance.now() - startedMs).toFixed(0)} ms`);
      first = false;
    },
  },
});
console.log(`ended ${summary.reason}`);
