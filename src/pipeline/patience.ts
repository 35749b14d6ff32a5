import type { JobRun } from "./job-run.ts";

/**
 * How long the last checkpoint may wait for a store that is gone, or for keys, once the job has been told to end: supervisors kill after 30 to 90 s.
 * What is not committed then is read again by the next run.
 */
export const STOP_PATIENCE_MS = 10_000;

/** The same once the job's time (`--for`) is over: nobody is about to kill it, and a large last checkpoint may need some attempts. */
const OVERTIME_MS = 30_000;

/** Ends all waiting for what is away: a while after the job was told to end, or after its time is over. */
export class Patience {
  readonly #giveUp = new AbortController();
  readonly #job: Pick<JobRun, "stop" | "runtime" | "end">;
  readonly #over: AbortSignal;
  #time = new AbortController();

  /** @param over aborts with the run: nothing is waited for any more */
  constructor(job: Pick<JobRun, "stop" | "runtime" | "end">, over: AbortSignal) {
    this.#job = job;
    this.#over = over;
    const { stop } = job;
    const onStop = (): void => void this.#endAfter(STOP_PATIENCE_MS, over);
    if (stop.aborted) onStop();
    else stop.addEventListener("abort", onStop, { once: true, signal: over });
    this.begin();
  }

  /** Aborts when patience is at its end. */
  get signal(): AbortSignal {
    return this.#giveUp.signal;
  }

  /** The job's time begins now, however long its start has taken. */
  begin(): void {
    const { afterMs } = this.#job.end;
    if (afterMs === null) return;
    this.#time.abort();
    this.#time = new AbortController();
    void this.#endAfter(afterMs + OVERTIME_MS, AbortSignal.any([this.#time.signal, this.#over]));
  }

  async #endAfter(durationMs: number, unless: AbortSignal): Promise<void> {
    await this.#job.runtime.clock.sleep(durationMs, unless);
    if (!unless.aborted) this.#giveUp.abort();
  }
}
