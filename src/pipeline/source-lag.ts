import type { Figures } from "../core/figures.ts";
import type { Position } from "../core/position.ts";
import type { Clock } from "../core/runtime.ts";
import type { Source } from "../core/source.ts";
import { totalLag } from "./read-lag.ts";

/** The source is asked for its end at most this often. */
const ASKED_EVERY_MS = 10_000;

/** How long the end of a run waits for that. */
const LAST_PATIENCE_MS = 1_000;

/** How far behind its source a run is: for figures only, so that a source which cannot tell fails nothing. */
export class SourceLag {
  readonly #source: Source;
  readonly #figures: Figures;
  readonly #clock: Clock;
  #reached: Position;
  #end: Position;
  #asking: Promise<void> | null = null;
  #lastAskedMs: number;

  /** @param end the source's end, as of now */
  constructor(source: Source, figures: Figures, clock: Clock, from: Position, end: Position) {
    this.#source = source;
    this.#figures = figures;
    this.#clock = clock;
    this.#reached = from;
    this.#end = end;
    this.#lastAskedMs = clock.monotonicMs();
    this.#tell();
  }

  /** Notes how far has been read. */
  reached(position: Position): void {
    this.#reached = position;
    this.#tell();
  }

  /** Asks the source for its end anew, if it was last asked long enough ago; waits for nothing. */
  askNowAndThen(): void {
    if (this.#lastAskedMs + ASKED_EVERY_MS <= this.#clock.monotonicMs()) void this.#ask();
  }

  /** Asks for the last time and waits a moment for the answer. */
  async askLast(): Promise<void> {
    const done = new AbortController();
    const asked = this.#ask().finally(() => done.abort());
    await Promise.race([asked, this.#clock.sleep(LAST_PATIENCE_MS, done.signal)]);
  }

  /** Never rejects. */
  #ask(): Promise<void> {
    this.#lastAskedMs = this.#clock.monotonicMs();
    this.#asking ??= this.#source
      .endPosition()
      .then(
        (end) => {
          this.#end = end;
          this.#tell();
        },
        () => this.#figures.readLag(null),
      )
      .finally(() => (this.#asking = null));
    return this.#asking;
  }

  #tell(): void {
    this.#figures.readLag(totalLag(this.#reached, this.#end, this.#source));
  }
}
