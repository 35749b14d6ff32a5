import type { JobRun } from "../../src/pipeline/job-run.ts";
import type { Warehouse } from "../../src/warehouse.ts";

/** Where a job of a test writes; in memory unless it says where. */
type Place = Pick<Warehouse, "catalog" | "io"> & Partial<Pick<Warehouse, "location">>;

/**
 * What jobs of tests have alike: they commit after so many rows and at the end, which is that of their source, and tell nobody. Tables,
 * source and runtime are each test's own, and so is whatever differs.
 */
export function plainJob(
  { catalog, io, location = "mem://w" }: Place,
  checkpointRows: number,
): Omit<JobRun, "rules" | "runtime" | "createSource"> {
  return {
    pipeline: "test",
    checkpoint: { intervalMs: 3_600_000, maxRows: checkpointRows, maxSizeBytes: 1 << 20, idleCommitMs: 3_600_000 },
    memoryBytes: 1 << 26,
    warehouseLocation: location,
    catalog,
    io,
    end: { caughtUp: true, afterMs: null, maxRows: null },
    stop: new AbortController().signal,
    observer: { started() {}, progress() {}, committed() {}, notice() {} },
  };
}
