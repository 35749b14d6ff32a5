import type { JobRun } from "./job-run.ts";
import { STOP_PATIENCE_MS } from "./patience.ts";

/** Waits for what has been told to end, but not for ever. */
export async function withinPatience({ runtime }: JobRun, ending: Promise<void>): Promise<void> {
  const over = new AbortController();
  await Promise.race([ending.finally(() => over.abort()), runtime.clock.sleep(STOP_PATIENCE_MS, over.signal)]);
}

/** Whether `waiting` came to its end before the job was told to end. */
export async function unlessStopped(stop: AbortSignal, waiting: Promise<void>): Promise<boolean> {
  // What fails after the stop is of no interest.
  waiting.catch(() => {});
  const stopped = Promise.withResolvers<false>();
  const onStop = (): void => stopped.resolve(false);
  if (stop.aborted) onStop();
  stop.addEventListener("abort", onStop, { once: true });
  try {
    return await Promise.race([stopped.promise, waiting.then(() => true)]);
  } finally {
    stop.removeEventListener("abort", onStop);
  }
}
