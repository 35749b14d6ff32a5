import { join } from "node:path";
import { createRuntime } from "../../../src/cli/runtime.ts";
import { warehouseAt } from "../../../src/config/load.ts";
import type { ChangeBatch } from "../../../src/core/change-batch.ts";
import type { Source } from "../../../src/core/source.ts";
import type { JobObserver, JobRun, JobSummary } from "../../../src/pipeline/job-run.ts";
import { runJob } from "../../../src/pipeline/run-job.ts";
import { openWarehouse } from "../../../src/warehouse.ts";

/** One split whose points are numbers up to `end`. @param pull gives the changes from a point on, and the point behind them. */
export function numberedSource(
  split: string,
  end: number,
  pull: (at: number) => Promise<{ readonly changes: readonly ChangeBatch[]; readonly next: number }>,
): Source {
  return {
    open: async () => undefined,
    startPosition: async () => new Map([[split, "0"]]),
    endPosition: async () => new Map([[split, String(end)]]),
    comparePoints: (a, b) => Number(a) - Number(b),
    acknowledge: async () => undefined,
    close: async () => undefined,
    async *read(from, signal) {
      for (let at = Number(from.get(split) ?? 0); at < end && !signal.aborted;) {
        const { changes, next } = await pull(at);
        const records = changes.reduce((sum, { length }) => sum + length, 0);
        at = next;
        yield { changes, ends: new Map([[split, String(next)]]), records };
      }
    },
  };
}

/** Runs a job in this process up to the source's end, its warehouse and keys in a folder. */
export async function runChildJob(
  folder: string,
  job: Pick<JobRun, "pipeline" | "rules" | "memoryBytes" | "createSource"> & {
    readonly intervalMs: number;
    readonly maxRows: number;
    readonly committed: JobObserver["committed"];
  },
): Promise<JobSummary> {
  const { intervalMs, maxRows, committed, ...given } = job;
  const runtime = createRuntime({ debug() {}, info() {}, warn() {}, error() {} }, undefined);
  const warehouse = await openWarehouse(warehouseAt(join(folder, "lake"), {}), runtime, "create");
  return runJob({
    ...given,
    checkpoint: { intervalMs, maxRows, maxSizeBytes: 1 << 28, idleCommitMs: 3_600_000 },
    keyCache: join(folder, "keys"),
    warehouseLocation: warehouse.location,
    catalog: warehouse.catalog,
    io: warehouse.io,
    runtime,
    end: { caughtUp: true, afterMs: null, maxRows: null },
    stop: new AbortController().signal,
    observer: { started() {}, progress() {}, notice() {}, committed },
  });
}
