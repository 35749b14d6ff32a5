import type { Log, Runtime } from "../../src/core/runtime.ts";

/** Sleeps beyond this never end by themselves: pauses between attempts are shorter, the intervals of a job longer. */
const PATIENCE_MS = 60_000;

export interface VirtualRuntime extends Runtime {
  /** Called at each step; throw to crash there. */
  onStep: (name: string) => void;
  readonly lines: string[];
}

/** A seeded generator of 32-bit numbers (mulberry32). */
export function seededRandom(seed: number): { uint32(): number } {
  let state = seed >>> 0;
  return {
    uint32() {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = state;
      t = Math.imul(t ^ (t >>> 15), t | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return (t ^ (t >>> 14)) >>> 0;
    },
  };
}

/** Time that moves only when somebody sleeps, and random numbers from a seed. */
export function virtualRuntime(seed: number): VirtualRuntime {
  let nowMs = Date.UTC(2026, 0, 1);
  const random = seededRandom(seed);
  const lines: string[] = [];
  const log = (message: string) => void lines.push(message);
  const runtime: VirtualRuntime = {
    clock: {
      nowMs: () => Math.floor(nowMs),
      monotonicMs: () => nowMs,
      async sleep(durationMs, signal) {
        if (durationMs < PATIENCE_MS) {
          await new Promise((resolve) => setImmediate(resolve));
          nowMs += durationMs;
          return;
        }
        await new Promise<void>((resolve) => {
          if (signal?.aborted === true) resolve();
          signal?.addEventListener("abort", () => resolve());
        });
      },
    },
    random,
    log: { debug: log, info: log, warn: log, error: log } satisfies Log,
    onStep: () => undefined,
    step: (name) => runtime.onStep(name),
    lines,
  };
  return runtime;
}
