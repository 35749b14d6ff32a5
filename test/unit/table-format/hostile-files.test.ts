import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import type { FuzzReport, FuzzWork } from "../../support/fuzz/worker.ts";

/** `FRAZIL_FUZZ_INPUTS` sets another number. */
const INPUTS = Number(process.env["FRAZIL_FUZZ_INPUTS"] ?? 100_000);
const WORKERS = 2;
/** One input may take so long, on a machine that has other things to do. */
const MOST_MS = 20_000;
/** A page may have 256 MiB (`limits.ts`), and there is one in each worker. */
const MOST_BYTES = 1_500 * 1024 * 1024;

/** Runs a range of inputs; ends the worker when one input takes too long. */
function fuzz(from: number, to: number): Promise<FuzzReport> {
  const progress = new SharedArrayBuffer(4);
  const place = new Int32Array(progress);
  const worker = new Worker(new URL("../../support/fuzz/worker.ts", import.meta.url), {
    workerData: { from, to, progress } satisfies FuzzWork,
    resourceLimits: { maxOldGenerationSizeMb: 1024 },
  });
  return new Promise((resolve, reject) => {
    let [last, since] = [-1, Date.now()];
    const watch = setInterval(() => {
      const now = Atomics.load(place, 0);
      if (now !== last) [last, since] = [now, Date.now()];
      if (Date.now() - since > MOST_MS) end(() => reject(new Error(`input ${now} took more than ${MOST_MS} ms`)));
    }, 200);
    // The first to settle counts: ending the worker makes it exit, too.
    const end = (settle: () => void): void => {
      clearInterval(watch);
      settle();
      void worker.terminate();
    };
    worker.once("message", (report: FuzzReport) => end(() => resolve(report)));
    worker.once("error", (error) => end(() => reject(new Error(`input ${Atomics.load(place, 0)}: ${String(error)}`))));
    worker.once("exit", (code) => end(() => reject(new Error(`input ${Atomics.load(place, 0)}: exit ${code}`))));
  });
}

test(
  `${INPUTS} broken metadata, manifest, Puffin and Parquet files are refused or read, in bounded time and memory`,
  { timeout: 900_000 },
  async () => {
    const before = process.memoryUsage.rss();
    let peak = before;
    const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 20);
    const reports = await Promise.all(
      Array.from({ length: WORKERS }, (_, i) =>
        fuzz(Math.floor((INPUTS * i) / WORKERS), Math.floor((INPUTS * (i + 1)) / WORKERS)),
      ),
    ).finally(() => clearInterval(watch));
    const counts: Record<string, [accepted: number, refused: number]> = {};
    for (const [name, [accepted, refused]] of reports.flatMap((report) => Object.entries(report.counts))) {
      const [a, r] = counts[name] ?? [0, 0];
      counts[name] = [a + accepted, r + refused];
    }
    console.log(`inputs accepted and refused, peak ${Math.round((peak - before) / 1048576)} MiB:`, counts);
    expect(reports.flatMap(({ defects }) => defects)).toEqual([]);
    expect(
      Object.values(counts)
        .flat()
        .reduce((sum, count) => sum + count, 0),
    ).toBe(INPUTS);
    expect(peak - before).toBeLessThan(MOST_BYTES);
  },
);
