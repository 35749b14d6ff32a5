import type { Log, Runtime } from "../../../src/core/runtime.ts";
import { type Draw, drawFrom, type Host, nameSeed, type Scheduler } from "./scheduler.ts";

/** Asked at each point that a process comes to, the n-th time from 0, whether it dies there. It may suspend the process, too. */
export type Fate = (process: SimProcess, point: string, nth: number) => boolean;

/** The point of a process that has been told to end and has not ended yet. */
const DRAIN = "drain";

/** Thrown at a point inside the program; from then on the process waits for ever for whatever it asks. */
export class ProcessDied extends Error {}

/**
 * One simulated process: its clock and random numbers, and its end. A dead one gets no answer any more, not even from its clock, so
 * that nothing it does while its stack unwinds reaches anybody.
 */
export class SimProcess implements Host {
  readonly name: string;
  readonly scheduler: Scheduler;
  readonly held: Host["held"] = [];
  readonly runtime: Runtime;
  readonly draw: Draw;
  dead = false;
  suspended = false;
  /** It has been told to end. */
  draining = false;
  /** Something has just happened to it that makes the next request a point of its own. */
  next: string | null = null;
  /** Its last commit got no answer. */
  unsure = false;
  readonly #fate: Fate;
  readonly #onCrash: (point: string) => void;
  readonly #visits = new Map<string, number>();

  /** @param skewMs how far its clock is ahead of the store's */
  constructor(scheduler: Scheduler, name: string, skewMs: number, fate: Fate, onCrash: (point: string) => void) {
    this.scheduler = scheduler;
    this.name = name;
    this.#fate = fate;
    this.#onCrash = onCrash;
    this.draw = scheduler.stream(`${name} decides`);
    const random = drawFrom(nameSeed(scheduler.seed, `${name} random`));
    const log = (message: string): void => {
      if (!this.dead) scheduler.note(`${name} says ${message}`);
    };
    this.runtime = {
      clock: {
        nowMs: () => Math.floor(scheduler.nowMs + skewMs),
        monotonicMs: () => scheduler.nowMs,
        sleep: (durationMs, signal) => this.#sleep(durationMs, signal),
      },
      random,
      log: { debug: log, info: log, warn: log, error: log } satisfies Log,
      step: (point) => {
        if (this.dead || this.reach(`step ${point}`)) throw new ProcessDied(`${name} died at ${point}`);
      },
    };
  }

  /** Says that the process comes to a point; true: it has died there. */
  reach(point: string): boolean {
    if (this.dead) return true;
    if (this.draining && point !== DRAIN && this.reach(DRAIN)) return true;
    const { next } = this;
    this.next = null;
    if (next !== null && this.reach(next)) return true;
    const nth = this.#visits.get(point) ?? 0;
    this.#visits.set(point, nth + 1);
    if (!this.#fate(this, point, nth)) return false;
    this.crash(point);
    return true;
  }

  crash(point: string): void {
    if (this.dead) return;
    this.dead = true;
    this.held.length = 0;
    this.#visits.clear();
    this.scheduler.note(`${this.name} dies at ${point}`);
    this.#onCrash(point);
  }

  #sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (this.dead) return;
      if (signal?.aborted === true) return resolve();
      const wake = (): void => {
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      signal?.addEventListener("abort", wake, { once: true });
      if (Number.isFinite(durationMs)) this.scheduler.at(durationMs, this, wake);
    });
  }
}

/** What the dead wait for. */
export function never<T>(): Promise<T> {
  return new Promise(() => undefined);
}
