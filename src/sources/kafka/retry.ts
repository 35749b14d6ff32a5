import { FrazilError } from "../../core/errors.ts";
import { KAFKA_FIRST_PAUSE_MS, KAFKA_LONGEST_PAUSE_MS } from "../../core/limits.ts";
import type { Random, Runtime } from "../../core/runtime.ts";

/** The pause after the `failures`th failure in a row: doubling, a quarter of it random, so that clients do not come back together. */
export function pauseMs(failures: number, random: Random): number {
  const full = Math.min(KAFKA_LONGEST_PAUSE_MS, KAFKA_FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 20));
  return Math.round(full * (0.75 + (random.uint32() / 2 ** 32) * 0.25));
}

/**
 * Runs `attempt` until it does not fail with `unavailable`, with growing pauses and a line in the log for each failure; gives up
 * after `limitMs` and throws the last error. Other errors are thrown at once.
 */
export async function patiently<T>(
  runtime: Runtime,
  limitMs: number,
  doing: string,
  attempt: () => Promise<T>,
  { signal, level = "warn" }: { readonly signal?: AbortSignal; readonly level?: "warn" | "debug" } = {},
): Promise<T> {
  const startMs = runtime.clock.monotonicMs();
  for (let failures = 1; ; failures++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof FrazilError) || error.kind !== "unavailable") throw error;
      const forMs = runtime.clock.monotonicMs() - startMs;
      if (signal?.aborted) throw error;
      if (forMs >= limitMs) throw gaveUp(error, forMs);
      const retryInMs = Math.min(pauseMs(failures, runtime.random), Math.max(1, limitMs - forMs));
      runtime.log[level]("Kafka does not answer, trying again", {
        doing,
        error: error.message,
        hint: error.hint,
        forMs: Math.round(forMs),
        retryInMs: Math.round(retryInMs),
      });
      await runtime.clock.sleep(retryInMs, signal);
    }
  }
}

/** The error that ends a job when brokers stayed away for too long. */
export function gaveUp(last: FrazilError, forMs: number): FrazilError {
  return new FrazilError("unavailable", last.code, `${last.message} (tried for ${Math.round(forMs / 1000)} s)`, {
    hint: last.hint,
    cause: last,
  });
}
