import type { Clock } from "../../../core/runtime.ts";

/** Wakes one waiter. A ring that finds nobody waiting is remembered for the next one. */
export class Bell {
  #waiting: AbortController | null = null;
  #rung = false;

  ring(): void {
    this.#rung = true;
    this.#waiting?.abort();
  }

  /** Resolves at the next ring, or after `timeoutMs`. */
  async wait(clock: Clock, timeoutMs: number): Promise<void> {
    if (!this.#rung) {
      this.#waiting = new AbortController();
      await clock.sleep(timeoutMs, this.#waiting.signal);
      this.#waiting = null;
    }
    this.#rung = false;
  }
}
