import { type Catalog, identText, type TableIdent } from "../../../table-format/index.ts";
import { wholeCatalog } from "../../commit/branch-view.ts";
import { writersCatalog } from "../../commit/writer-branch.ts";
import { FrazilError } from "../../core/errors.ts";
import { type MaintenanceTask, taskName } from "../../core/maintenance.ts";
import { randomHex8 } from "../../core/runtime.ts";
import type { HistoryWriter } from "../history/history-writer.ts";
import type { LastRuns } from "../history/last-runs.ts";
import { NO_EFFECT, type RunEffect, type RunOutcome, type RunRecord } from "../history/run-record.ts";
import type { MaintenancePlace } from "./due-run.ts";
import { runKind } from "./kinds.ts";

/** What a process that maintains tables is made of. */
export interface Maintenance {
  /** `service`, or the job in whose process it runs. */
  readonly by: string;
  readonly place: MaintenancePlace;
  /** The tables there are now. @throws FrazilError of the catalog; then it is asked again later. */
  readonly tables: () => Promise<readonly TableIdent[]>;
  /** How often they are asked for at most. */
  readonly listLeastMs: number;
  /** What is to be done to a table, in the order of tasks that are due at the same time. */
  readonly tasksOf: (table: TableIdent) => readonly MaintenanceTask[];
  /** Tables that are worked on at once. */
  readonly concurrency: number;
  readonly history: HistoryWriter;
  readonly lastRuns: LastRuns;
  /** Whether work may be begun now. */
  readonly mayBegin: () => boolean;
  /** Told of every run that came to an end. */
  readonly ended: (run: RunRecord) => void;
}

/**
 * Runs one task of a table and keeps account of it. Never rejects: a failure is an outcome.
 * @returns null when there is no such table any more.
 */
export async function runTask(
  maintenance: Maintenance,
  ident: TableIdent,
  task: MaintenanceTask,
  pointMs: number,
): Promise<RunRecord | null> {
  const { by, place, history } = maintenance;
  const { clock, random } = place.runtime;
  const beganMs = clock.monotonicMs();
  const started = {
    id: randomHex8(random) + randomHex8(random),
    startedMs: clock.nowMs(),
    pointMs,
    table: identText(ident),
    kind: taskName(task),
    by,
  };
  const record = (outcome: RunOutcome, reason: string | null, effect: RunEffect): RunRecord => {
    const { filesBefore, filesAfter, bytesBefore, bytesAfter, snapshotId } = effect;
    const durationMs = clock.monotonicMs() - beganMs;
    return { ...started, outcome, reason, filesBefore, filesAfter, bytesBefore, bytesAfter, snapshotId, durationMs };
  };
  let begun = false;
  let run: RunRecord;
  try {
    const catalog = await catalogFor(place, ident, task);
    const table = await catalog.loadTable(ident);
    if (table === null) return null;
    const begin = async (): Promise<void> => {
      begun = true;
      history.add(record("running", null, NO_EFFECT));
      await history.save();
      place.runtime.step("maintenance.begun");
    };
    const end = await runKind({ ...place, catalog }, { table, task, pointMs, begin });
    run = record(end.outcome, end.reason, end);
  } catch (error) {
    const { outcome, reason } = failure(error, place.stop);
    run = record(outcome, reason, NO_EFFECT);
  }
  if (begun || isNews(maintenance, run)) {
    history.add(run);
    await history.save();
  }
  return run;
}

/** Files are rewritten where the table's pipelines write, if that is a branch; all else is about the table as a whole. */
async function catalogFor(place: Maintenance["place"], ident: TableIdent, { kind }: MaintenanceTask): Promise<Catalog> {
  const whole = wholeCatalog(place.catalog);
  if (kind !== "compact" && kind !== "rewrite_manifests") return whole;
  const table = await whole.loadTable(ident);
  return table === null ? whole : writersCatalog(whole, table);
}

/** Of runs in a row that change nothing for the same reason, the first is worth a record. */
function isNews({ lastRuns }: Maintenance, { table, kind, outcome, reason }: RunRecord): boolean {
  const last = lastRuns.get(table, kind);
  return (outcome !== "nothing" && outcome !== "skipped") || last?.outcome !== outcome || last.reason !== reason;
}

function failure(error: unknown, stop: AbortSignal): { readonly outcome: RunOutcome; readonly reason: string } {
  if (stop.aborted) return { outcome: "interrupted", reason: "told to end" };
  if (!(error instanceof FrazilError)) return { outcome: "failed", reason: String(error) };
  const skipped = error.kind === "config" || error.kind === "unsupported";
  return { outcome: skipped ? "skipped" : "failed", reason: `${error.code}: ${error.message}` };
}
