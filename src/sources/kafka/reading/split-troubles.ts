import { FrazilError } from "../../../core/errors.ts";
import type { Runtime } from "../../../core/runtime.ts";
import { gaveUp, pauseMs } from "../retry.ts";
import type { ReadingSplit } from "./reading-split.ts";

/** What becomes of splits that cannot be read for a while: growing pauses, a line in the log, and an end to patience. */
export class SplitTroubles {
  readonly #runtime: Runtime;
  readonly #outageLimitMs: number;
  readonly #fail: (error: unknown) => void;

  /** @param fail is told what is not going to pass, and what lasts longer than `outageLimitMs` */
  constructor(runtime: Runtime, outageLimitMs: number, fail: (error: unknown) => void) {
    this.#runtime = runtime;
    this.#outageLimitMs = outageLimitMs;
    this.#fail = fail;
  }

  /** Notes that splits cannot be read, and gives up where that lasts too long or is not going to pass. */
  note(splits: readonly ReadingSplit[], error: unknown): void {
    const [first] = splits;
    if (first === undefined) return;
    if (!(error instanceof FrazilError) || error.kind !== "unavailable") {
      this.#fail(error);
      return;
    }
    const nowMs = this.#runtime.clock.monotonicMs();
    for (const split of splits) {
      const failures = (split.trouble?.failures ?? 0) + 1;
      const untilMs = nowMs + pauseMs(failures, this.#runtime.random);
      split.trouble = { sinceMs: split.trouble?.sinceMs ?? nowMs, failures, untilMs };
    }
    const sinceMs = Math.min(...splits.map(({ trouble }) => trouble?.sinceMs ?? nowMs));
    this.#runtime.log.warn("Kafka topic partitions cannot be read, trying again", {
      splits: splits.length === 1 ? first.name : `${first.name} and ${splits.length - 1} more`,
      error: error.message,
      hint: error.hint,
      forMs: Math.round(nowMs - sinceMs),
      retryInMs: Math.round((first.trouble?.untilMs ?? nowMs) - nowMs),
    });
    if (nowMs - sinceMs >= this.#outageLimitMs) {
      this.#fail(gaveUp(error, nowMs - sinceMs));
    }
  }

  /** Notes that splits can be read. */
  over(splits: readonly ReadingSplit[]): void {
    const healed = splits.filter(({ trouble }) => trouble !== null);
    if (healed.length === 0) return;
    const nowMs = this.#runtime.clock.monotonicMs();
    const sinceMs = Math.min(...healed.map(({ trouble }) => trouble?.sinceMs ?? nowMs));
    for (const split of healed) split.trouble = null;
    this.#runtime.log.info("Kafka topic partitions can be read again", {
      splits: healed.length,
      afterMs: Math.round(nowMs - sinceMs),
    });
  }
}
