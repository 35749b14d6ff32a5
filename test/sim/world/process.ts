import type { Log, Runtime } from "../../../src/core/runtime.ts";
import { type Draw, drawFrom, type Host, nameSeed, type Scheduler } from "./scheduler.ts";

/** Where a process dies: the n-th time that it comes to a point, from 0. */
export interface CrashPlan {
  readonly point: string;
  readonly nth: number;
}

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
  readonly #plan: CrashPlan | null;
  readonly #onCrash: (point: string) => void;
  #seen = 0;

  /** @param skewMs how far its clock is ahead of the store's */
  constructor(
    scheduler: Scheduler,
    name: string,
    skewMs: number,
    plan: CrashPlan | null,
    onCrash: (point: string) => void,
  ) {
    this.scheduler = scheduler;
    this.name = name;
    this.#plan = plan;
    this.#onCrash = onCrash;
    this.draw = scheduler.stream(`${name} decides`);
    const random = drawFrom(nameSeed(scheduler.seed, `${name} random`));
    const log = (message: string): void => scheduler.note(`${name} says ${message}`);
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
    if (this.#plan?.point !== point || this.#seen++ !== this.#plan.nth) return false;
    this.crash(point);
    return true;
  }

  crash(point: string): void {
    if (this.dead) return;
    this.dead = true;
    this.held.length = 0;
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
