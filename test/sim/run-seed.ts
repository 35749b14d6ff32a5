import { conforms } from "../model/conform.ts";
import { Follower } from "./actors/follower.ts";
import { JobSupervisor } from "./actors/job.ts";
import { startHand } from "./actors/hand.ts";
import { startMaintenance } from "./actors/maintenance.ts";
import { startForeignWriter, startOperator } from "./actors/others.ts";
import { Restorer } from "./actors/put-back.ts";
import { startServices } from "./actors/services.ts";
import { startSleeper } from "./actors/sleeper.ts";
import { Violation } from "./world/oracle.ts";
import { type Given, settingsOf } from "./world/settings.ts";
import { Simulation, type SimulationOptions } from "./world/simulation.ts";

/** How one seed went. */
export interface SeedResult {
  readonly seed: number;
  /** Null: every promise held. */
  readonly failure: { readonly rule: string; readonly text: string } | null;
  /** SHA-256 of the trace. */
  readonly digest: string;
  readonly hours: number;
  readonly snapshots: number;
  readonly turns: number;
  readonly counts: ReadonlyMap<string, number>;
  readonly crashes: ReadonlyMap<string, number>;
  readonly lines: readonly string[] | null;
}

const MAX_TURNS = 400_000;
const MAX_TURNS_A_CHECKPOINT = 2_000;
/** Late requests land within this time. */
const AFTERLIFE_MS = 1_800_000;
/** Sooner than that a job must be done once nothing goes wrong any more. */
const CATCH_UP_MS = 12 * 3_600_000;
/** How long processes die yet that read again what tables lack which were put back. */
const CRASHES_MS = 600_000;

/** Simulates one seed from its beginning to its audit. */
export async function runSeed(seed: number, given: Given = {}, options: SimulationOptions = {}): Promise<SeedResult> {
  const sim = new Simulation(settingsOf(seed, given), options);
  const job = new JobSupervisor(sim);
  try {
    await simulate(sim, job);
  } catch (error) {
    sim.fail(error);
  }
  job.letGo();
  const { failure } = sim;
  return {
    seed,
    failure:
      failure === null
        ? null
        : {
            rule: failure instanceof Violation ? failure.rule : failure.name,
            text: failure instanceof Violation ? failure.message : (failure.stack ?? failure.message),
          },
    digest: sim.scheduler.digest(),
    hours: sim.hours,
    snapshots: sim.snapshots,
    turns: sim.scheduler.turns,
    counts: sim.counts,
    crashes: sim.crashes,
    lines: sim.scheduler.lines,
  };
}

async function simulate(sim: Simulation, job: JobSupervisor): Promise<void> {
  const { scheduler, changelog } = sim;
  changelog.grow();
  changelog.grow();
  job.start();
  const { checkpoints } = sim.settings;
  let left = sim.settings.transactions;
  const over = (): boolean => (checkpoints === null ? left <= 0 : sim.checkpoints.size >= checkpoints);
  extend(sim, () => {
    const goesOn = !over();
    left--;
    return goesOn;
  });
  const stopped = (): boolean => sim.calm || over();
  startServices(sim, stopped);
  startMaintenance(sim, stopped);
  startForeignWriter(sim, stopped);
  startOperator(sim, job, stopped);
  startHand(sim, job, stopped);
  startTroubles(sim, job, stopped);
  startSleeper(sim, job, stopped);
  startDamage(sim, stopped);
  // Where a table is its folder.
  const restorer = sim.has("put-back") && sim.settings.catalog === "object-store" ? new Restorer(sim) : null;
  restorer?.start(stopped);
  const follower = sim.has("follower") && sim.settings.formatVersion === 3 ? new Follower(sim, "a") : null;
  follower?.start();

  await runUntil(sim, over, "goes on");
  sim.calm = true;
  sim.network.faults.over = true;
  for (const process of sim.processes) if (process.suspended) scheduler.resume(process);
  await job.catchUp();
  const untilMs = scheduler.nowMs + CATCH_UP_MS;
  await runUntil(sim, () => job.caughtUp || scheduler.nowMs > untilMs, "catches up");
  if (!job.caughtUp) throw new Violation("does not finish", "the job has not caught up although nothing goes wrong");
  await rest(sim, AFTERLIFE_MS);
  checkComplete(sim);
  checkConformance(sim);
  await sim.audit(3);
  follower?.check();
  if (restorer?.restore(job) === true) await readAgain(sim, job);
}

/** The job finds tables that were put back, dies now and then, and has to complete them. */
async function readAgain(sim: Simulation, job: JobSupervisor): Promise<void> {
  const { scheduler } = sim;
  sim.calm = false;
  job.again();
  const calmAtMs = scheduler.nowMs + CRASHES_MS;
  await runUntil(sim, () => job.caughtUp || scheduler.nowMs > calmAtMs, "reads again");
  sim.calm = true;
  const untilMs = scheduler.nowMs + CATCH_UP_MS;
  await runUntil(sim, () => job.caughtUp || scheduler.nowMs > untilMs, "catches up again");
  if (!job.caughtUp) throw new Violation("does not finish", "the job has not caught up with tables that were put back");
  await rest(sim, AFTERLIFE_MS);
  checkComplete(sim);
  await sim.audit(3);
}

/** Waits for what comes late. Nobody looks meanwhile, and then once more. */
async function rest(sim: Simulation, durationMs: number): Promise<void> {
  const { scheduler } = sim;
  const idle = sim.processes.filter(({ dead, suspended }) => !dead && !suspended);
  for (const process of idle) process.suspended = true;
  for (const [ms, after] of [
    [durationMs, () => idle.forEach((process) => scheduler.resume(process))],
    [durationMs + 60_000, () => (rested = true)],
  ] as const) {
    scheduler.at(ms, null, after);
  }
  let rested = false;
  await runUntil(sim, () => rested, "rests");
}

async function runUntil(sim: Simulation, done: () => boolean, what: string): Promise<void> {
  const maxTurns = MAX_TURNS + MAX_TURNS_A_CHECKPOINT * (sim.settings.checkpoints ?? 0);
  const end = await sim.scheduler.run(() => sim.failure !== null || done(), maxTurns);
  if (sim.failure !== null) throw sim.failure;
  if (end === "too-long") throw new Violation("does not finish", `${what} for ${maxTurns} turns`);
  if (end === "idle" && !done()) throw new Violation("stands still", `nobody has anything to do while it ${what}`);
}

/** The source's side goes on, whoever reads it: transactions, new splits, a new table, a new column. */
function extend(sim: Simulation, goesOn: () => boolean): void {
  const { scheduler, changelog, settings } = sim;
  const draw = scheduler.stream("source");
  const half = Math.floor(settings.transactions / 2);
  const lateAt = draw.below(half + 1);
  const extraAt = draw.below(half + 1);
  const growAt = draw.below(half + 1);
  const next = (number: number): void => {
    if (!goesOn()) return;
    if (number === lateAt && sim.has("late")) changelog.hasLate = true;
    if (number === extraAt && sim.has("schema")) changelog.hasExtra = true;
    if (number === growAt && sim.has("growth")) changelog.grow();
    changelog.extend();
    scheduler.at(draw.between(0, 2 * Math.floor(settings.paceMs)), null, () => next(number + 1));
  };
  next(0);
}

/** Zombies, rivals, orderly stops, and nights in which everything stands still. */
function startTroubles(sim: Simulation, job: JobSupervisor, stopped: () => boolean): void {
  const { scheduler } = sim;
  const draw = scheduler.stream("troubles");
  const next = (): void => scheduler.at(draw.between(5_000, 90_000), null, trouble);
  const trouble = (): void => {
    if (stopped()) return;
    if (sim.asleep) return next();
    const kind = draw.pick(["zombies", "rivals", "stops", "jumps", "none"] as const);
    const current = job.current?.process ?? null;
    if (kind === "zombies" && sim.has(kind) && current !== null && !current.suspended) {
      sim.count("zombies");
      scheduler.note(`${current.name} is suspended`);
      current.suspended = true;
      if (!draw.oneIn(4)) scheduler.at(draw.between(1_000, 20_000), null, () => job.start());
      scheduler.at(draw.between(5_000, 600_000), null, () => {
        scheduler.note(`${current.name} goes on`);
        scheduler.resume(current);
      });
    } else if (kind === "rivals" && sim.has(kind)) {
      sim.count("rivals");
      job.start();
    } else if (kind === "stops" && sim.has(kind)) {
      sim.count("stops");
      job.stop();
    } else if (kind === "jumps" && sim.has(kind) && draw.oneIn(3)) {
      night(sim, draw.between(26, 80) * 3_600_000);
    }
    next();
  };
  next();
}

/** Disks on which keys are cached get damaged. */
function startDamage(sim: Simulation, stopped: () => boolean): void {
  if (!sim.has("key-cache")) return;
  const { scheduler } = sim;
  const draw = scheduler.stream("damage");
  const next = (): void =>
    scheduler.at(draw.between(5_000, 60_000), null, () => {
      if (stopped()) return;
      sim.damageDisk(draw);
      next();
    });
  next();
}

/** Every machine is suspended for days. They wake one after the other. */
function night(sim: Simulation, durationMs: number): void {
  const { scheduler } = sim;
  sim.count("nights");
  scheduler.note("night falls");
  const asleep = sim.processes.filter(({ dead, suspended }) => !dead && !suspended);
  for (const process of asleep) process.suspended = true;
  scheduler.jump(durationMs);
  const draw = scheduler.stream(`night ${scheduler.turns}`);
  for (const process of asleep) scheduler.at(draw.between(0, 120_000), null, () => scheduler.resume(process));
}

/** The run has to be one of the protocol that the model explores, up to where rows go back. */
function checkConformance({ eventsBefore }: Simulation): void {
  const found = conforms(eventsBefore);
  if (found.ok) return;
  const event = JSON.stringify(eventsBefore[found.at]);
  throw new Violation("not the protocol", `event ${found.at}, ${event}: ${found.why}`);
}

/** Everything that the source has is in every table, and published where the job writes to a branch. */
function checkComplete(sim: Simulation): void {
  const { oracle, changelog } = sim;
  for (const [table, { metadata }] of oracle.tables) {
    const head = sim.headOf(metadata);
    if (head === null) continue;
    const { position, rows } = oracle.expected(table, head);
    const main = metadata.currentSnapshotId === null ? null : oracle.expected(table, metadata.currentSnapshotId);
    if (main === null ? rows.size > 0 : !sameRows(main.rows, rows)) {
      throw new Violation("not published", `${table} has other rows in main than the job has come to`);
    }
    for (const [split, log] of changelog.splits) {
      const left = log.slice(position.get(split) ?? 0).filter((change) => change.table === table);
      if (left.length > 0) throw new Violation("rows are missing", `${table} lacks ${left.length} changes of ${split}`);
    }
  }
}

function sameRows(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([key, row]) => b.get(key) === row);
}
