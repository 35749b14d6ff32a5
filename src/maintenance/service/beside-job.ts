import type { TableIdent } from "../../../table-format/index.ts";
import type { CommitContext } from "../../commit/context.ts";
import type { MaintenanceTask } from "../../core/maintenance.ts";
import { createHistoryWriter } from "../history/history-writer.ts";
import { interruptedRuns } from "../history/interrupted.ts";
import { LastRuns } from "../history/last-runs.ts";
import type { RunRecord } from "../history/run-record.ts";
import type { MaintenancePlace } from "./due-run.ts";
import { knownLocations } from "./known-tables.ts";
import type { Maintenance } from "./maintenance.ts";
import { runSchedules } from "./scheduler.ts";

/** How long runs are remembered unless a service says otherwise. */
export const HISTORY_KEPT_MS = 30 * 86_400_000;

/** Maintenance in the process of a job. */
export interface BesideJob {
  /** The job's context: its catalog, store, manifests and commit queue. */
  readonly context: CommitContext;
  readonly tasks: readonly MaintenanceTask[];
  /** The tables that the job holds now. */
  readonly tables: () => readonly TableIdent[];
  /** Bytes of the job's budget that maintenance may take. */
  readonly memoryBytes: number;
  /** Told where a compaction has moved rows, so that their keys need not be read again. */
  readonly moved: NonNullable<MaintenancePlace["moved"]>;
  /** Aborted when the job ends: what runs is dropped, at the latest after the commit that is on its way. */
  readonly stop: AbortSignal;
}

/**
 * Maintains the tables of a job beside ingestion, one at a time. Never rejects, as ingestion is not to end for it: what fails is logged,
 * counted, recorded, and done at its next time.
 */
export async function maintainBesideJob({
  context,
  tasks,
  tables,
  memoryBytes,
  moved,
  stop,
}: BesideJob): Promise<void> {
  const { io, warehouseLocation, runtime, pipeline, figures } = context;
  const lastRuns = new LastRuns(io, warehouseLocation, `job-${pipeline}`, runtime.log);
  const history = createHistoryWriter(io, warehouseLocation, runtime, HISTORY_KEPT_MS);
  const maintenance: Maintenance = {
    by: pipeline,
    place: {
      ...context,
      giveUp: stop,
      stop,
      memoryBytes,
      locations: knownLocations(context.catalog, runtime.clock),
      moved,
    },
    tables: async () => tables(),
    listLeastMs: 1_000,
    tasksOf: () => tasks,
    concurrency: 1,
    history,
    lastRuns,
    mayBegin: () => true,
    ended(run: RunRecord) {
      figures?.maintained(run.outcome === "failed");
      if (run.outcome === "failed") runtime.log.warn("maintenance failed", logFields(run));
      else if (run.outcome === "done") runtime.log.info("maintenance done", logFields(run));
    },
  };
  try {
    await lastRuns.load();
    // The fence has been taken: whoever ran under this job's name commits nothing more.
    for (const run of await interruptedRuns(io, warehouseLocation, pipeline)) history.add(run);
  } catch (error) {
    runtime.log.warn("the last maintenance cannot be read; all of it counts as due", { cause: String(error) });
  }
  try {
    await runSchedules(maintenance, false);
  } catch (error) {
    runtime.log.error("maintenance has ended; ingestion goes on", { cause: String(error) });
  }
}

function logFields({ table, kind, reason, filesBefore, filesAfter, durationMs }: RunRecord) {
  return { table, kind, filesBefore, filesAfter, ms: Math.round(durationMs), ...(reason === null ? {} : { reason }) };
}
