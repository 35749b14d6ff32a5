import { removeScratchFolders } from "../storage/local-scratch.ts";
import { systemClock } from "../system.ts";

/** What a job does with the signals of its process. */
export interface SignalHandling {
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly stop: AbortSignal;
  close(): void;
}

/**
 * A verb without a better way ends at once, by the signal itself: `process.exit` would wait for a query that runs. Without a signal it is
 * only told that nobody reads standard error, which it does not mind.
 */
export function end(signal?: "SIGINT" | "SIGTERM"): void {
  if (signal === undefined) return;
  removeScratchFolders();
  process.off(signal, end);
  process.kill(process.pid, signal);
}

/**
 * A signal so soon behind the first is the same one: `timeout`, and whoever else ends a process and its group, sends it twice. No hand is
 * so quick.
 */
const SAME_SIGNAL_MS = 250;

/** Until a verb says otherwise. */
export function endOnSignals(): void {
  process.on("SIGINT", end);
  process.on("SIGTERM", end);
}

/**
 * The first signal asks for an end, the second ends the process at once (130 or 143).
 *
 * @param note Told at the first one what is still done; null where the end is at once.
 */
export function onSignals(note: ((line: string) => void) | null): SignalHandling {
  const controller = new AbortController();
  let firstMs = 0;
  const handle = (signal: "SIGINT" | "SIGTERM") => {
    if (controller.signal.aborted) {
      if (systemClock.monotonicMs() - firstMs < SAME_SIGNAL_MS) return;
      process.exit(signal === "SIGINT" ? 130 : 143);
    }
    firstMs = systemClock.monotonicMs();
    controller.abort();
    note?.(
      signal === "SIGINT"
        ? "finishing the checkpoint; press Ctrl-C again to stop at once (nothing is lost: the next run resumes)"
        : "finishing the checkpoint",
    );
  };
  process.on("SIGINT", handle).off("SIGINT", end);
  process.on("SIGTERM", handle).off("SIGTERM", end);
  return {
    stop: controller.signal,
    close() {
      process.on("SIGINT", end).off("SIGINT", handle);
      process.on("SIGTERM", end).off("SIGTERM", handle);
    },
  };
}
