import { identText, type TableIdent } from "../../../table-format/index.ts";
import { MAINTENANCE_LISTED_MS } from "../../core/limits.ts";
import { type MaintenanceTask, taskName } from "../../core/maintenance.ts";
import { newestPoint, nextPoint, type Schedule } from "../../core/schedule.ts";
import { type Maintenance, runTask } from "./maintenance.ts";

/** How soon a tag that could not be made is tried again: its point of time does not come back. Everything else waits for its next time. */
const TAG_AGAIN_MS = 60_000;

/** How far two machines' clocks may be apart: a point that lies further ahead was seen by one that was wrong, and does not count. */
const CLOCKS_APART_MS = 600_000;

/** How soon a catalog that cannot be listed is asked again. */
const LIST_AGAIN_MS = 10_000;

/**
 * Does what is due, table by table, until it is told to stop: a task is due when the newest point of its schedule is later than the one
 * last seen to. So what was missed while no process ran is made up once, for the newest point. One task of a table at a time.
 *
 * @param once end when nothing is due any more, instead of waiting for what comes.
 */
export async function runSchedules(maintenance: Maintenance, once: boolean): Promise<void> {
  const scheduler = new Scheduler(maintenance);
  await scheduler.run(once);
}

interface Due {
  readonly table: TableIdent;
  readonly task: MaintenanceTask;
  readonly pointMs: number;
}

class Scheduler {
  readonly #maintenance: Maintenance;
  readonly #busy = new Map<string, Promise<void>>();
  /** Tasks that failed and are not to be tried again before. */
  readonly #notBefore = new Map<string, number>();
  /** When each table, and each task of it, last had its turn: none waits for ever behind one that is always due. */
  readonly #turns = new Map<string, number>();
  #turn = 0;
  #tables: readonly TableIdent[] = [];
  #listAgainMs = Number.NEGATIVE_INFINITY;

  constructor(maintenance: Maintenance) {
    this.#maintenance = maintenance;
  }

  async run(once: boolean): Promise<void> {
    const { place, lastRuns } = this.#maintenance;
    const { clock } = place.runtime;
    while (!place.stop.aborted) {
      if (clock.monotonicMs() >= this.#listAgainMs) await this.#list();
      const due = place.stop.aborted || !this.#maintenance.mayBegin() ? [] : this.#due();
      for (const each of due.slice(0, Math.max(0, this.#maintenance.concurrency - this.#busy.size))) this.#start(each);
      if (this.#busy.size === 0) {
        await lastRuns.save();
        if (once) break;
      }
      await this.#wait();
    }
    await Promise.all(this.#busy.values());
    await lastRuns.save();
  }

  /** Looks which tables there are, the more seldom the longer that takes. */
  async #list(): Promise<void> {
    const { tables, listLeastMs, lastRuns, place } = this.#maintenance;
    const { clock, log } = place.runtime;
    const startedMs = clock.monotonicMs();
    try {
      this.#tables = await tables();
      lastRuns.keepOnly(new Set(this.#tables.map(identText)));
      const { most, pauseOfTimeTaken } = MAINTENANCE_LISTED_MS;
      const pauseMs = (clock.monotonicMs() - startedMs) * pauseOfTimeTaken;
      this.#listAgainMs = clock.monotonicMs() + Math.min(most, Math.max(listLeastMs, pauseMs));
    } catch (error) {
      log.warn("the tables cannot be listed; trying again", { cause: String(error) });
      this.#listAgainMs = clock.monotonicMs() + LIST_AGAIN_MS;
    }
  }

  /** One task that is due of each table that is not worked on; what has waited longest comes first, of tables and of their tasks. */
  #due(): Due[] {
    const { tasksOf, lastRuns, place } = this.#maintenance;
    const nowMs = place.runtime.clock.nowMs();
    const newest = remembered((schedule) => newestPoint(schedule, nowMs));
    const due = this.#tables.flatMap((table) => {
      const name = identText(table);
      if (this.#busy.has(name)) return [];
      const tasks = tasksOf(table).flatMap((task): Due[] => {
        const pointMs = newest(task.schedule);
        const seenMs = lastRuns.get(name, taskName(task))?.pointMs ?? Number.NEGATIVE_INFINITY;
        const seen = pointMs !== null && pointMs <= seenMs && seenMs <= nowMs + CLOCKS_APART_MS;
        if (pointMs === null || seen) return [];
        return (this.#notBefore.get(keyOf(name, task)) ?? nowMs) <= nowMs ? [{ table, task, pointMs }] : [];
      });
      return tasks.sort((a, b) => this.#turnOf(keyOf(name, a.task)) - this.#turnOf(keyOf(name, b.task))).slice(0, 1);
    });
    return due.sort((a, b) => this.#turnOf(identText(a.table)) - this.#turnOf(identText(b.table)));
  }

  #turnOf(name: string): number {
    return this.#turns.get(name) ?? 0;
  }

  #start({ table, task, pointMs }: Due): void {
    const name = identText(table);
    this.#turns.set(name, ++this.#turn);
    this.#turns.set(keyOf(name, task), this.#turn);
    const work = this.#runOne(table, task, pointMs).finally(() => this.#busy.delete(name));
    this.#busy.set(name, work);
  }

  async #runOne(table: TableIdent, task: MaintenanceTask, pointMs: number): Promise<void> {
    const { lastRuns, ended, place } = this.#maintenance;
    const run = await runTask(this.#maintenance, table, task, pointMs);
    if (run === null) {
      this.#tables = this.#tables.filter((other) => other !== table);
      return;
    }
    const key = keyOf(run.table, task);
    this.#notBefore.delete(key);
    // What was cut short is due again as soon as somebody goes on.
    if (run.outcome === "failed" && task.kind === "tag") {
      this.#notBefore.set(key, place.runtime.clock.nowMs() + TAG_AGAIN_MS);
    } else if (run.outcome !== "interrupted") {
      lastRuns.set(run.table, run.kind, { pointMs, outcome: run.outcome, reason: run.reason });
    }
    ended(run);
  }

  /** Until a run ends, the next point of a schedule comes, the tables are to be listed again, or the end. */
  async #wait(): Promise<void> {
    const { tasksOf, place } = this.#maintenance;
    const { clock } = place.runtime;
    const nowMs = clock.nowMs();
    const next = remembered((schedule) => nextPoint(schedule, nowMs));
    let wakeMs = nowMs + Math.max(0, this.#listAgainMs - clock.monotonicMs());
    for (const atMs of this.#notBefore.values()) if (atMs > nowMs) wakeMs = Math.min(wakeMs, atMs);
    for (const table of this.#tables) {
      for (const { schedule } of tasksOf(table)) wakeMs = Math.min(wakeMs, next(schedule) ?? wakeMs);
    }
    const woken = new AbortController();
    // With a reason, as without one an error is made of it, with its stack.
    const wake = (): void => woken.abort(null);
    if (place.stop.aborted) wake();
    else place.stop.addEventListener("abort", wake);
    try {
      await Promise.race([clock.sleep(Math.max(1, wakeMs - nowMs), woken.signal), ...this.#busy.values()]);
    } finally {
      // What `stop` holds on to would add up over the life of the service.
      place.stop.removeEventListener("abort", wake);
      wake();
    }
  }
}

function keyOf(table: string, task: MaintenanceTask): string {
  return `${table}\n${taskName(task)}`;
}

/** Schedules are shared by the tables of a policy: each is asked once. */
function remembered(ask: (schedule: Schedule) => number | null): (schedule: Schedule) => number | null {
  const known = new Map<Schedule, number | null>();
  return (schedule) => {
    let point = known.get(schedule);
    if (point === undefined) {
      point = ask(schedule);
      known.set(schedule, point);
    }
    return point;
  };
}
