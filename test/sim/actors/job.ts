import { branchCatalog } from "../../../src/commit/branch-view.ts";
import { FrazilError } from "../../../src/core/errors.ts";
import type { Position } from "../../../src/core/position.ts";
import type { TableRule } from "../../../src/core/table-rule.ts";
import type { JobEnd, JobRun } from "../../../src/pipeline/job-run.ts";
import { runJob } from "../../../src/pipeline/run-job.ts";
import { probeConditionalWrites } from "../../../src/storage/probe.ts";
import { TABLES } from "../world/changelog.ts";
import { Violation } from "../world/oracle.ts";
import { ProcessDied, type SimProcess } from "../world/process.ts";
import { BRANCH, isExpected, LOCATION, PIPELINE, type Place, type Simulation } from "../world/simulation.ts";
import { simSource } from "../world/source.ts";
import { maintainBeside } from "./maintenance.ts";
import { publishBeside } from "./publisher.ts";
import { serveBeside } from "./services.ts";

const FOR_EVER: JobEnd = { caughtUp: false, afterMs: null, maxRows: null };

/** Requests of the dead may land that much later. */
const AFTERLIFE_MS = 1_800_000;

interface JobProcess {
  readonly process: SimProcess;
  /** Null once it has ended: what listens to it is all that the process had in memory. */
  stop: AbortController | null;
  readonly startedMs: number;
  endedMs: number | null;
  /** Once it has taken over. */
  epoch: bigint | null;
}

/** Keeps one process of the job running, as a supervisor does, and now and then two. */
export class JobSupervisor {
  readonly #sim: Simulation;
  readonly #jobs: JobProcess[] = [];
  /** Times at which an operator took the pipeline over. */
  readonly takeovers: number[] = [];
  #end: JobEnd = FOR_EVER;
  /** Whether the job has caught up since it was told to. */
  caughtUp = false;

  constructor(sim: Simulation) {
    this.#sim = sim;
  }

  /** The newest process that is alive. */
  get current(): JobProcess | null {
    return this.#jobs.findLast(({ process, endedMs }) => endedMs === null && !process.dead) ?? null;
  }

  /** Lets go of all that processes have in memory; nobody runs any more. */
  letGo(): void {
    for (const { process, stop } of this.#jobs) {
      process.dead = true;
      stop?.abort(null);
    }
  }

  /** Tells the newest process to end. */
  stop(): void {
    if (this.current !== null) tellToEnd(this.current);
  }

  start(): void {
    const sim = this.#sim;
    if (this.caughtUp) return;
    const name = `job${this.#jobs.length}`;
    const place = sim.start(name, () => {
      this.#over(job);
      this.#restart();
    });
    const { process } = place;
    const stop = new AbortController();
    const job: JobProcess = { process, stop, startedMs: sim.scheduler.nowMs, endedMs: null, epoch: null };
    this.#jobs.push(job);
    sim.count("starts");
    const { draw } = process;
    const isBounded = !this.#end.caughtUp && sim.has("bounded") && draw.oneIn(3);
    const end = isBounded ? { ...this.#end, maxRows: draw.between(1, 30) } : this.#end;
    this.#run(job, place, stop.signal, end).then(
      () => this.#ended(job, end, null),
      (error: unknown) => this.#ended(job, end, error),
    );
  }

  /** From now on the job is to end when it has caught up. */
  async catchUp(): Promise<void> {
    this.#end = { caughtUp: true, afterMs: null, maxRows: null };
    for (const job of this.#jobs) tellToEnd(job);
    if (this.current === null) this.start();
  }

  /** Starts the job again that has caught up. */
  again(): void {
    this.caughtUp = false;
    this.start();
  }

  async #run(job: JobProcess, place: Place, stop: AbortSignal, end: JobEnd): Promise<void> {
    const sim = this.#sim;
    const { process, io, catalog, runtime } = place;
    if (!catalog.atomicAcrossTables && process.draw.oneIn(12))
      await probeConditionalWrites(io, LOCATION, runtime.random);
    await runJob({
      pipeline: PIPELINE,
      rules: TABLES.map((table) => ruleOf(sim, table)),
      checkpoint: {
        intervalMs: sim.settings.intervalMs,
        maxRows: sim.settings.maxRows,
        maxSizeBytes: 1 << 20,
        idleCommitMs: sim.settings.intervalMs * 3,
      },
      memoryBytes: sim.settings.memoryBytes,
      keyCache: sim.keyCacheOf(process),
      warehouseLocation: LOCATION,
      catalog: sim.has("branch") ? branchCatalog(catalog, BRANCH) : catalog,
      io,
      runtime,
      createSource: (router) =>
        simSource(sim.changelog, router, process, {
          begins: (from) => this.#begins(job, from),
          acknowledged: (position) => this.#acknowledged(process.name, position),
          fails: () => !sim.calm && sim.has("source-errors") && process.draw.oneIn(150),
        }),
      beside: this.#beside(place),
      end,
      stop,
      observer: {
        started: ({ epoch, checkpoint }) => {
          job.epoch = epoch;
          sim.scheduler.note(`${process.name} has epoch ${epoch} at ${checkpoint}`);
        },
        progress: () => undefined,
        committed: ({ table, checkpoint }) => {
          sim.count("commits");
          sim.checkpoints.add(checkpoint);
          sim.scheduler.note(`${process.name} committed ${checkpoint} to ${table}`);
        },
        notice: (message) => sim.scheduler.note(`${process.name} notes ${message}`),
      },
    });
  }

  #beside(place: Place): JobRun["beside"] {
    const sim = this.#sim;
    const { process } = place;
    const parts: NonNullable<JobRun["beside"]>[] = [];
    if (sim.has("maintenance-beside")) parts.push((held) => maintainBeside(sim, process, held));
    else if (sim.has("compaction-beside")) parts.push((held) => serveBeside(sim, process, held));
    if (sim.has("branch")) parts.push((held) => publishBeside(sim, place, held));
    return parts.length === 0 ? undefined : async (held) => void (await Promise.all(parts.map((part) => part(held))));
  }

  #begins({ process: { name }, epoch }: JobProcess, from: Position): void {
    const sim = this.#sim;
    sim.scheduler.note(`${name} reads from ${[...from].join(" ")}`);
    if (sim.rolledBack) return;
    // Suspended between its start and its first read, and overtaken: what it reads comes into no table.
    if (epoch !== null && sim.oracle.isOvertaken(epoch)) return;
    for (const [split, end] of sim.changelog.acknowledged) {
      if (Number(from.get(split) ?? 0) < end) {
        sim.fail(
          new Violation(
            "acknowledged too early",
            `${name} asks for ${split} behind ${from.get(split)}, gone up to ${end}`,
          ),
        );
      }
    }
  }

  #acknowledged(process: string, position: Position): void {
    const { acknowledged } = this.#sim.changelog;
    const logged = Object.fromEntries([...position].map(([split, point]) => [split, Number(point)]));
    this.#sim.log.events.push({ event: "acknowledge", process, position: logged });
    for (const [split, end] of position) {
      acknowledged.set(split, Math.max(acknowledged.get(split) ?? 0, Number(end)));
    }
  }

  #ended(job: JobProcess, end: JobEnd, error: unknown): void {
    const sim = this.#sim;
    if (job.process.dead) return;
    this.#over(job);
    const text = error instanceof FrazilError ? `${error.kind} ${error.code}: ${error.message}` : String(error);
    sim.scheduler.note(`${job.process.name} ends: ${error === null ? "well" : text}`);
    if (error === null) {
      if (end.caughtUp) this.caughtUp = true;
    } else this.#judge(job, error);
    const isForOperator = error instanceof FrazilError && error.code === "TABLE_ROLLED_BACK";
    this.#restart(isForOperator ? 10 : 1);
  }

  #over(job: JobProcess): void {
    job.endedMs = this.#sim.scheduler.nowMs;
    // Node holds on to signals that are made of others while anybody listens, and the dead never leave off.
    if (job.process.dead) job.stop?.abort(null);
    job.stop = null;
  }

  /** A supervisor starts the job again, unless another is there. It is `patience` times as slow where an operator is needed. */
  #restart(patience = 1): void {
    const { scheduler, draw } = this.#sim;
    if (this.caughtUp || this.current !== null) return;
    scheduler.at(patience * draw.between(200, 20_000), null, () => {
      if (this.current === null) this.start();
    });
  }

  /** Whether a process may end so. */
  #judge(job: JobProcess, error: unknown): void {
    const sim = this.#sim;
    const { name } = job.process;
    if (error instanceof ProcessDied) return;
    if (error instanceof Violation || !(error instanceof FrazilError)) return sim.fail(error);
    const { kind, code } = error;
    sim.count(`ended ${code}`);
    const rivals = this.#hadRivals(job);
    if (kind === "fenced" && !rivals) {
      return sim.fail(new Violation("fenced by nobody", `${name}: ${error.message}`));
    }
    if (isExpected(error)) return;
    if (code === "TABLE_ROLLED_BACK" && sim.setBack) return;
    // The probe cannot tell a request that was repeated from a store that does not work.
    if (code === "STORE_CONDITIONAL_WRITES" && !sim.calm) return;
    if (kind === "corrupt" && (sim.counts.get("unnoticed") ?? 0) > 0) return;
    // Files of a table that somebody else has gone on with may be gone.
    if (kind === "not-found" && rivals) return;
    sim.fail(new Violation("ended badly", `${name}: ${kind} ${code}: ${error.message}`));
  }

  /** Whether anybody else may have had the pipeline since the process was started. */
  #hadRivals(job: JobProcess): boolean {
    const sinceMs = job.startedMs - AFTERLIFE_MS;
    return (
      this.takeovers.some((atMs) => atMs >= sinceMs) ||
      this.#jobs.some((other) => other !== job && (other.endedMs === null || other.endedMs >= sinceMs))
    );
  }
}

/** As SIGTERM does. */
function tellToEnd({ process, stop }: JobProcess): void {
  process.draining = true;
  stop?.abort();
}

function ruleOf(sim: Simulation, table: string): TableRule {
  return {
    from: table,
    to: `shop.${table}`,
    mode: table === "log" ? "append" : "upsert",
    key: table === "log" ? null : ["id"],
    columns: new Map(),
    partitionBy: sim.settings.partitioned ? ["part"] : [],
    sortBy: null,
    formatVersion: sim.settings.formatVersion,
    schemaChanges: "evolve",
  };
}
