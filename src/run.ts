import type { JobEnd, JobObserver, JobSummary } from "./pipeline/job-run.ts";
import { runJob } from "./pipeline/run-job.ts";
import type { Runtime } from "./core/runtime.ts";
import { type AnyJob, createSource } from "./registry.ts";
import { probeConditionalWrites } from "./storage/probe.ts";
import { openWarehouse } from "./warehouse.ts";

/** How a run of a job ends and who watches it. */
export interface RunControl {
  readonly end: JobEnd;
  /** Aborting it finishes the checkpoint in progress and then ends the run. */
  readonly stop: AbortSignal;
  readonly observer: JobObserver;
}

/**
 * Opens the job's warehouse, tries the store where the catalog rests on its conditional writes, and runs the job until it ends.
 * @throws FrazilError; see `exitCodeOf`.
 */
export async function run(job: AnyJob, runtime: Runtime, control: RunControl): Promise<JobSummary> {
  const { io, catalog, location } = await openWarehouse(job.warehouse, runtime, "create");
  try {
    if (job.warehouse.catalog.type === "object-store") await probeConditionalWrites(io, location, runtime.random);
    return await runJob({
      pipeline: job.name,
      rules: job.tables,
      checkpoint: job.checkpoint,
      deadLetter: job.deadLetter,
      memoryBytes: job.memoryBytes,
      warehouseLocation: location,
      catalog,
      io,
      runtime,
      createSource: (router, notices, rejects) =>
        createSource(job.source, { pipeline: job.name, runtime, router, notices, rejects }),
      ...control,
    });
  } finally {
    await catalog.close();
  }
}
