import { identText, parseIdent, type TableIdent } from "../table-format/index.ts";
import { branchCatalog, type ShownOf } from "./commit/branch-view.ts";
import type { DeadLetterSettings } from "./core/dead-letter.ts";
import { FrazilError } from "./core/errors.ts";
import type { Figures } from "./core/figures.ts";
import type { Runtime } from "./core/runtime.ts";
import { maintainBesideJob } from "./maintenance/service/beside-job.ts";
import type { JobEnd, JobObserver, JobRun, JobSummary } from "./pipeline/job-run.ts";
import { planReplay, replayedUpTo, type ReplayPlan } from "./pipeline/plan-replay.ts";
import { publishBesideJob } from "./pipeline/publish-beside.ts";
import { runJob } from "./pipeline/run-job.ts";
import { type AnyJob, createReplaySource, createSource } from "./registry.ts";
import { openWarehouse, tryWarehouse, type Warehouse } from "./warehouse.ts";

/** How a run of a job ends and who watches it. */
export interface RunControl {
  readonly end: JobEnd;
  /** Aborting it finishes the checkpoint in progress and then ends the run. */
  readonly stop: AbortSignal;
  readonly observer: JobObserver;
  /** Counts what the job does, for somebody who reads it meanwhile; by default the job counts for its summary alone. */
  readonly figures?: Figures | undefined;
  /** Folder for keys that do not fit in memory, for jobs that name none; by default such a job keeps all keys in memory. */
  readonly keyCache?: string | undefined;
}

/**
 * Opens the job's warehouse, tries its store for what exactly-once rests on, and runs the job until it ends.
 * @throws FrazilError; see `exitCodeOf`.
 */
export async function run(job: AnyJob, runtime: Runtime, control: RunControl): Promise<JobSummary> {
  const warehouse = await openWarehouse(job.warehouse, runtime, "create");
  try {
    return await runIn(warehouse, job, runtime, {
      deadLetter: job.deadLetter,
      createSource: (router, notices, rejects) =>
        createSource(job.source, {
          pipeline: job.name,
          commits: true,
          memoryBytes: job.memoryBytes,
          runtime,
          router,
          notices,
          rejects,
          warehouse: job.warehouse,
          openWarehouse: (settings) => openWarehouse(settings, runtime, "read"),
        }),
      beside: besideOf(job, warehouse),
      ...control,
    });
  } finally {
    await warehouse.catalog.close();
  }
}

/**
 * Runs a job once over its dead letters instead of its source. Letters that still cannot be decoded become new letters; the position in
 * the source stays. Takes the pipeline over like any run: a process that is running ends with exit 76.
 * @throws FrazilError as `run`.
 */
export async function replay(job: AnyJob, runtime: Runtime, control: Omit<RunControl, "end">): Promise<JobSummary> {
  const { table } = deadLetterOf(job);
  const warehouse = await openWarehouse(job.warehouse, runtime, "read");
  try {
    return await runIn(warehouse, job, runtime, {
      // They have been counted when they came.
      deadLetter: { table, maxRows: Number.MAX_SAFE_INTEGER, maxShare: 1 },
      createSource: replaySource(warehouse, job),
      end: { caughtUp: true, afterMs: null, maxRows: null },
      ...control,
    });
  } finally {
    await warehouse.catalog.close();
  }
}

/** What `replay` would do; changes nothing. @throws FrazilError as `run`. */
export async function replayPlan(job: AnyJob, runtime: Runtime): Promise<ReplayPlan> {
  const warehouse = await openWarehouse(job.warehouse, runtime, "read");
  const { catalog, io, location } = warehouse;
  try {
    const from = await replayedUpTo({ pipeline: job.name, catalog, io, warehouseLocation: location });
    return await planReplay({ rules: job.tables, catalog, createSource: replaySource(warehouse, job) }, from);
  } finally {
    await catalog.close();
  }
}

/** The job's dead-letter table. @throws FrazilError `config` when it has none. */
export function deadLetterOf(job: AnyJob): DeadLetterSettings & { readonly ident: TableIdent } {
  if (job.deadLetter === null) {
    throw new FrazilError("config", "NO_DEAD_LETTERS", `the job ${job.name} names no dead-letter table`, {
      hint: "add dead_letter: { table: shop.dead_letters } to the job file",
    });
  }
  return { ...job.deadLetter, ident: parseIdent(job.deadLetter.table) };
}

function replaySource({ io, catalog }: Warehouse, job: AnyJob): JobRun["createSource"] {
  const { ident } = deadLetterOf(job);
  return (router, notices, rejects) =>
    createReplaySource(job.source, { router, notices, rejects, io, catalog, table: ident, pipeline: job.name });
}

async function runIn(
  warehouse: Warehouse,
  job: AnyJob,
  runtime: Runtime,
  given: Pick<JobRun, "deadLetter" | "createSource" | "end" | "stop" | "observer" | "figures" | "keyCache" | "beside">,
): Promise<JobSummary> {
  const { io, catalog, location } = warehouse;
  await tryWarehouse(warehouse, job.warehouse, runtime);
  return await runJob({
    pipeline: job.name,
    rules: job.tables,
    checkpoint: job.checkpoint,
    memoryBytes: job.memoryBytes,
    warehouseLocation: location,
    catalog: job.branch === null ? catalog : branchCatalog(catalog, job.branch, onBranch(job)),
    io,
    runtime,
    ...given,
    keyCache: job.cache ?? given.keyCache,
  });
}

/** Dead letters are for those who look after the job, at once; all other tables wait on the branch. */
function onBranch({ deadLetter }: AnyJob): ShownOf {
  return (ident) => identText(ident) !== deadLetter?.table;
}

/** What goes on beside ingestion. */
function besideOf(job: AnyJob, warehouse: Warehouse): JobRun["beside"] {
  const { branch, publish, maintenance: tasks } = job;
  const parts: NonNullable<JobRun["beside"]>[] = [];
  if (tasks.length > 0) parts.push((held) => maintainBesideJob({ ...held, tasks }));
  if (branch !== null && publish?.everyMs != null) {
    const plan = { branch, everyMs: publish.everyMs, checks: publish.checks };
    parts.push((held) => publishBesideJob(held, warehouse, plan));
  }
  if (parts.length === 0) return undefined;
  return async (held) => void (await Promise.all(parts.map((start) => start(held))));
}
