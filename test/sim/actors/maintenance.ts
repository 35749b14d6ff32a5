import type { MaintenanceTask } from "../../../src/core/maintenance.ts";
import { maintainBesideJob } from "../../../src/maintenance/service/beside-job.ts";
import { runService } from "../../../src/maintenance/service/service.ts";
import type { BesideIngestion } from "../../../src/pipeline/job-run.ts";
import { Violation } from "../world/oracle.ts";
import type { SimProcess } from "../world/process.ts";
import type { Draw } from "../world/scheduler.ts";
import { LOCATION, type Place, type Simulation } from "../world/simulation.ts";
import { DAY_MS, judgeService, settings } from "./services.ts";

/** How a run of maintenance may fail where requests do, others are quicker, or it has slept for long. */
const ACCEPTED: ReadonlySet<string> = new Set([
  "SIM_NO_ANSWER",
  "SIM_STORE_FULL",
  "COMMIT_CONFLICT",
  "COMMIT_UNKNOWN",
  "FENCED",
  "EPOCH_CHANGED",
  "TOO_LATE",
  "DELETION_VECTOR",
  "TABLE_ROLLED_BACK",
  // Others expire and clean meanwhile. What a snapshot needs is looked for by the audit.
  "OBJECT_NOT_FOUND",
  "SNAPSHOT_GONE",
]);

/** All maintenance that a job does beside ingestion, by its schedules. */
export function maintainBeside(sim: Simulation, process: SimProcess, held: BesideIngestion): Promise<void> {
  const { log } = process.runtime;
  const warn = (message: string, fields?: Readonly<Record<string, unknown>>): void => {
    log.warn(message, fields);
    if (message === "maintenance failed") judgeRun(sim, process, String(fields?.["reason"]));
  };
  return maintainBesideJob({
    context: { ...held.context, runtime: { ...process.runtime, log: { ...log, warn } } },
    tasks: tasks(process.draw),
    tables: held.tables,
    memoryBytes: 1 << 20,
    moved: held.moved,
    stop: held.stop,
  });
}

/** Two processes of the maintenance service: one leads, and the other takes over when it is not heard of. */
export function startMaintenance(sim: Simulation, stopped: () => boolean): void {
  if (!sim.has("maintenance")) return;
  const draw = sim.scheduler.stream("maintenance");
  let runs = 0;
  const next = (): void => {
    sim.scheduler.at(draw.between(1_000, 60_000), null, () => {
      if (stopped()) return;
      sim.count("runs of maintenance");
      const place = sim.start(`maintenance${runs++}`, next);
      serve(sim, place).then(next, (error: unknown) => {
        if (place.process.dead) return;
        sim.scheduler.note(`${place.process.name} ends: ${String(error)}`);
        judgeService(sim, place.process.name, error);
        next();
      });
    });
  };
  next();
  next();
}

async function serve(sim: Simulation, { process, io, catalog, runtime }: Place): Promise<void> {
  const { draw } = process;
  const stop = new AbortController();
  sim.scheduler.at(draw.between(30_000, 600_000), process, () => {
    process.draining = true;
    stop.abort();
  });
  const planned = tasks(draw);
  await runService({
    io,
    catalog,
    warehouseLocation: LOCATION,
    runtime,
    tasksOf: () => planned,
    concurrency: draw.between(1, 2),
    leaseMs: draw.between(15_000, 60_000),
    historyMs: DAY_MS,
    memoryBytes: 1 << 20,
    once: draw.oneIn(3),
    stop: stop.signal,
    observer: {
      leads: () => sim.count("leads"),
      waits: () => undefined,
      found: () => undefined,
      ended: ({ outcome, reason }) => {
        if (outcome === "failed") judgeRun(sim, process, String(reason));
      },
    },
  });
}

function judgeRun(sim: Simulation, process: SimProcess, reason: string): void {
  if (process.dead) return;
  const code = /^(?:Error: )?(\w+)/.exec(reason)?.[1] ?? "";
  sim.count(`maintenance ended ${code}`);
  // What it was about to put into the table is of before a rollback.
  if (code === "ROLLED_BACK" && sim.rolledBack) return;
  if (!ACCEPTED.has(code)) sim.fail(new Violation("service ended badly", `${process.name}: ${reason}`));
}

function tasks(draw: Draw): readonly MaintenanceTask[] {
  const every = (least: number, most: number) => ({ everyMs: 1_000 * draw.between(least, most) });
  return [
    {
      kind: "compact",
      schedule: every(10, 60),
      ...settings(draw),
      deleteRatio: 0.15,
      pace: 1,
      arrange: null,
      where: null,
    },
    {
      kind: "expire",
      schedule: every(10, 120),
      keepMs: draw.between(0, 60_000),
      minSnapshots: draw.between(1, 4),
      maxSnapshots: null,
    },
    { kind: "rewrite_manifests", schedule: every(20, 200) },
    { kind: "analyze", schedule: every(40, 400) },
    { kind: "tag", schedule: every(30, 200), name: "now", keepMs: 60_000 },
    { kind: "clean_orphans", schedule: every(20, 200), olderThanMs: DAY_MS, foreign: false },
  ];
}
