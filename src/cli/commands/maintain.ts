import type { WarehouseSettings } from "../../config/job-schema.ts";
import { defaultPolicies, loadPolicies, type Policies } from "../../config/policies.ts";
import { counted, grouped } from "../../core/count-text.ts";
import { readHistory } from "../../maintenance/history/read-history.ts";
import { recordFields, type RunRecord } from "../../maintenance/history/run-record.ts";
import { runService, tasksByPattern } from "../../maintenance/service/service.ts";
import { openWarehouse, tryWarehouse } from "../../warehouse.ts";
import type { CliContext } from "../context.ts";
import { jsonLine, sizeText, tableText } from "../output.ts";
import { maintainedTables } from "../maintained-tables.ts";
import { type FileWanted, readNamedFile } from "../read-file.ts";
import { onSignals } from "../signals.ts";
import { warehouseSettings } from "../warehouse-option.ts";

export interface MaintainOptions {
  readonly policies?: string;
  readonly once?: boolean;
  readonly history?: boolean;
  readonly limit?: number;
}

const HISTORY_LIMIT = 100;

const POLICIES_FILE: FileWanted = {
  what: "file of policies",
  code: "POLICIES_FILE",
  hint: "docs/examples/maintain.yaml is one to begin with; without --policies all tables are looked after alike",
};

/** `frazil maintain [warehouse]`: the service, or with `--history` what was done by it and by jobs. */
export async function maintain(context: CliContext, location: string | null, options: MaintainOptions): Promise<void> {
  const policies = options.policies === undefined ? defaultPolicies() : readPolicies(context, options.policies);
  const named = location ?? context.globals.warehouse;
  const settings =
    named === null && policies.warehouse !== null
      ? policies.warehouse
      : warehouseSettings({ ...context, globals: { ...context.globals, warehouse: named } });
  if (options.history === true) await printHistory(context, settings, options.limit ?? HISTORY_LIMIT);
  else await serve(context, settings, policies, options.once === true);
}

async function serve(
  context: CliContext,
  settings: WarehouseSettings,
  policies: Policies,
  once: boolean,
): Promise<void> {
  const { output, runtime } = context;
  const warehouse = await openWarehouse(settings, runtime, "read");
  const { io, catalog, location } = warehouse;
  const isNews = newsOnly();
  let runs = 0;
  const signals = onSignals(() => output.note("ending after what is being done; a second signal ends at once"));
  try {
    await tryWarehouse(warehouse, settings, runtime);
    const led = await runService({
      io,
      catalog,
      warehouseLocation: location,
      runtime,
      tasksOf: tasksByPattern(policies.policies),
      concurrency: policies.concurrency,
      leaseMs: policies.leaseMs,
      historyMs: policies.historyMs,
      memoryBytes: policies.memoryBytes / policies.concurrency,
      once,
      stop: signals.stop,
      observer: {
        leads: (from) =>
          output.note(`maintains ${location}${from === null ? "" : `; has taken over from the service ${from}`}`),
        waits: () => output.note(`another service maintains ${location}; waiting in case it goes away`),
        found: maintainedTables(
          policies.policies.map(({ tables }) => tables),
          (line) => output.note(line),
        ),
        ended: (run) => {
          runs++;
          if (output.json) void output.write(jsonLine({ event: "run", ...recordFields(run) }));
          else if (isNews(run)) void output.write(runLine(run));
        },
      },
    });
    if (once && !led) output.note("another service does it");
    else if (once && runs === 0) output.note("nothing is due");
  } finally {
    signals.close();
    await catalog.close();
  }
}

/** Of runs that changed nothing for the same reason as the one before, people are shown the first, as in the history. */
function newsOnly(): (run: RunRecord) => boolean {
  const last = new Map<string, string>();
  return ({ table, kind, outcome, reason }) => {
    const key = `${table} ${kind}`;
    const what = `${outcome} ${reason ?? ""}`;
    const isSame = last.get(key) === what;
    last.set(key, what);
    return !isSame || (outcome !== "nothing" && outcome !== "skipped");
  };
}

async function printHistory(
  { output, runtime }: CliContext,
  settings: WarehouseSettings,
  limit: number,
): Promise<void> {
  const { io, catalog, location } = await openWarehouse(settings, runtime, "read");
  try {
    const runs = await readHistory(io, location, limit);
    if (output.json) {
      for (const run of runs) await output.write(jsonLine(recordFields(run)));
    } else if (runs.length === 0) {
      output.note(`no table of ${location} has been maintained yet`);
    } else {
      await output.write(historyText(runs));
    }
  } finally {
    await catalog.close();
  }
}

function historyText(runs: readonly RunRecord[]): string {
  const left = ["started", "table", "kind", "outcome"].map((name) => ({ name, align: "left" as const }));
  const right = ["files", "bytes", "ms"].map((name) => ({ name, align: "right" as const }));
  const last = ["snapshot", "why"].map((name) => ({ name, align: "left" as const }));
  const lines = runs.map((run) => [
    timeText(run),
    run.table,
    run.kind,
    run.outcome,
    effectText(run, (files) => grouped(files.count)),
    effectText(run, (files) => sizeText(files.bytes)),
    grouped(Math.round(run.durationMs)),
    run.snapshotId === null ? "" : String(run.snapshotId),
    run.reason ?? "",
  ]);
  return tableText([...left, ...right, ...last], lines);
}

function runLine(run: RunRecord): string {
  const { table, kind, outcome, snapshotId, durationMs, reason } = run;
  const effect = effectText(run, ({ count, bytes }) => `${counted(count, "file")} (${sizeText(bytes)})`);
  const parts = [timeText(run), table, kind, outcome, effect, snapshotId === null ? "" : `snapshot ${snapshotId}`];
  return `${[...parts, `${grouped(Math.round(durationMs))} ms`, reason ?? ""].filter(Boolean).join("  ")}\n`;
}

/** `before -> after`, or nothing of a run that touched no file. */
function effectText(run: RunRecord, show: (files: { count: number; bytes: bigint }) => string): string {
  if (run.filesBefore === 0 && run.filesAfter === 0) return "";
  const before = show({ count: run.filesBefore, bytes: run.bytesBefore });
  return `${before} -> ${show({ count: run.filesAfter, bytes: run.bytesAfter })}`;
}

function timeText({ startedMs }: RunRecord): string {
  return `${new Date(startedMs).toISOString().slice(0, 19)}Z`;
}

function readPolicies({ globals }: CliContext, path: string): Policies {
  return loadPolicies(readNamedFile(path, POLICIES_FILE), path, globals.env);
}
