import type { Clock } from "../../src/core/runtime.ts";

/** A clock that a test moves: whoever sleeps wakes at its time, one after the other. */
export interface SimulatedClock extends Clock {
  /** Moves the time, step by step through all that wakes up on the way, each with time to do what it does. */
  advance(durationMs: number): Promise<void>;
}

interface Sleeper {
  readonly atMs: number;
  readonly wake: () => void;
}

export function simulatedClock(startMs: number): SimulatedClock {
  let nowMs = startMs;
  const sleepers = new Set<Sleeper>();
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep(durationMs, signal) {
      return new Promise<void>((resolve) => {
        if (signal?.aborted === true) return resolve();
        const sleeper = { atMs: nowMs + Math.max(0, durationMs), wake };
        function wake(): void {
          sleepers.delete(sleeper);
          signal?.removeEventListener("abort", wake);
          resolve();
        }
        sleepers.add(sleeper);
        signal?.addEventListener("abort", wake, { once: true });
      });
    },
    async advance(durationMs) {
      const endMs = nowMs + durationMs;
      for (;;) {
        await settle();
        const next = [...sleepers].toSorted((a, b) => a.atMs - b.atMs)[0];
        if (next === undefined || next.atMs > endMs) break;
        nowMs = Math.max(nowMs, next.atMs);
        next.wake();
      }
      nowMs = endMs;
      await settle();
    },
  };
}

/** Lets everything go on that waits for nothing but memory. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}
