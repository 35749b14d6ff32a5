/** What a job does with the signals of its process. */
export interface SignalHandling {
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly stop: AbortSignal;
  close(): void;
}

/**
 * The first signal asks for an end, the second ends the process at once (130 or 143).
 *
 * @param note Told at the first one what is still done; null where the end is at once.
 */
export function onSignals(note: ((line: string) => void) | null): SignalHandling {
  const controller = new AbortController();
  const handle = (signal: "SIGINT" | "SIGTERM") => {
    if (controller.signal.aborted) process.exit(signal === "SIGINT" ? 130 : 143);
    controller.abort();
    note?.(
      signal === "SIGINT"
        ? "finishing the checkpoint; press Ctrl-C again to stop at once (nothing is lost: the next run resumes)"
        : "finishing the checkpoint",
    );
  };
  process.on("SIGINT", handle);
  process.on("SIGTERM", handle);
  return {
    stop: controller.signal,
    close() {
      process.off("SIGINT", handle);
      process.off("SIGTERM", handle);
    },
  };
}
