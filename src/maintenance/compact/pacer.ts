import type { Clock } from "../../core/runtime.ts";

/** Less work than this needs no rest: others have hardly waited. */
const PIECE_MS = 1;
/** How long it listens whether others are at work, and by how much that then takes longer. */
const LISTEN_MS = 4;
const BUSY_MS = 2;
/** While others are at work it goes on resting, up to so many times as long as it worked: some progress there must be. */
const MOST_RESTS = 4;

/** Lets others have the event loop. */
export interface Pacer {
  /** To be called between pieces of work. @throws the signal's reason once it is aborted. */
  breathe(): Promise<void>;
}

/**
 * Work that takes at most a share of the time: after each piece it rests for as long as keeps to the share, at least until what waits
 * in the event loop has had its turn. With a share below 1 it then goes on resting while others keep the event loop busy, so that a checkpoint
 * is not made to wait for it at every step.
 * @param share from above 0 to 1, of one core's time.
 */
export function createPacer(clock: Clock, share: number, signal?: AbortSignal): Pacer {
  let sinceMs = clock.monotonicMs();
  return {
    async breathe() {
      signal?.throwIfAborted();
      const workedMs = clock.monotonicMs() - sinceMs;
      if (workedMs < PIECE_MS) return;
      await clock.sleep((workedMs * (1 - share)) / share, signal);
      const busyUntilMs = clock.monotonicMs() + MOST_RESTS * workedMs;
      while (share < 1 && clock.monotonicMs() < busyUntilMs && (await othersAreBusy(clock, signal)));
      signal?.throwIfAborted();
      sinceMs = clock.monotonicMs();
    },
  };
}

async function othersAreBusy(clock: Clock, signal: AbortSignal | undefined): Promise<boolean> {
  const fromMs = clock.monotonicMs();
  await clock.sleep(LISTEN_MS, signal);
  return signal?.aborted !== true && clock.monotonicMs() - fromMs >= LISTEN_MS + BUSY_MS;
}
