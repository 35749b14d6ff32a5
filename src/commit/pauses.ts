import { FrazilError } from "../core/errors.ts";
import type { Runtime } from "../core/runtime.ts";

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 10_000;

/** Growing pauses between attempts at the same thing, up to a total time. */
export interface Pauses {
  /** Waits before the next attempt. @throws the given error when the time is used up. */
  next(giveUp: () => Error): Promise<void>;
}

/** Whether an error may pass by waiting: a server that cannot be reached, a store that refuses to write. */
export function isOutage(error: unknown): error is FrazilError {
  return error instanceof FrazilError && (error.kind === "unavailable" || error.kind === "io");
}

/**
 * Each pause is up to twice as long as the last, at a random point of its second half so that two writers do not move in step.
 * @param signal ends a pause at once: one more attempt, then `next` gives up.
 */
export function growingPauses(runtime: Runtime, totalMs: number, signal?: AbortSignal): Pauses {
  const startedMs = runtime.clock.monotonicMs();
  let pauseMs = FIRST_PAUSE_MS;
  return {
    async next(giveUp) {
      if (signal?.aborted === true || runtime.clock.monotonicMs() - startedMs >= totalMs) throw giveUp();
      const jitter = runtime.random.uint32() / 2 ** 33;
      await runtime.clock.sleep(pauseMs * (0.5 + jitter), signal);
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    },
  };
}
