import type { Clock } from "../../core/runtime.ts";

/** Lets others have the event loop. */
export interface Pacer {
  /** To be called between pieces of work. @throws the signal's reason once it is aborted. */
  breathe(): Promise<void>;
}

/**
 * Work that takes at most a share of the time: after each piece it rests for as long as keeps to the share, at least until what waits
 * in the event loop has had its turn.
 * @param share from above 0 to 1, of one core's time.
 */
export function createPacer(clock: Clock, share: number, signal?: AbortSignal): Pacer {
  let sinceMs = clock.monotonicMs();
  return {
    async breathe() {
      signal?.throwIfAborted();
      const workedMs = clock.monotonicMs() - sinceMs;
      await clock.sleep((workedMs * (1 - share)) / share, signal);
      signal?.throwIfAborted();
      sinceMs = clock.monotonicMs();
    },
  };
}
