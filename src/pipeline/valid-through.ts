import type { Position } from "../core/position.ts";
import type { Source, SourceBatch } from "../core/source.ts";

/** Where a run begins, as far as source time goes. */
export interface ValidThroughStart {
  /** Where reading begins, and the source's end as of then. */
  readonly from: Position;
  readonly end: Position;
  /** What the tables hold, and the source time they were stamped with; null for a pipeline without a table. */
  readonly resumed: Position | null;
  readonly lastMs: number | null;
  readonly compare: Source["comparePoints"];
}

/**
 * The source time up to which everything read so far is complete: the least of what each split has come to. A split that had something
 * to read at the start counts from the start, with the last stamp or, without one, holding back every claim until it tells a time; one
 * that was read to its end counts as soon as it tells one. The time never goes back.
 */
export class ValidThrough {
  /** By split, milliseconds since 1970 UTC; null: not known. */
  readonly #bounds = new Map<string, number | null>();
  /** Splits that have told no time yet, with the end that each had at the start. */
  readonly #silent = new Map<string, string>();
  readonly #compare: Source["comparePoints"];
  #highest: number | null;

  constructor({ from, end, resumed, lastMs, compare }: ValidThroughStart) {
    this.#compare = compare;
    this.#highest = lastMs;
    for (const [split, point] of end) {
      const start = from.get(split);
      if (start !== undefined && compare(start, point) >= 0) continue;
      // A split that the tables hold nothing of may reach back before their stamp.
      this.#bounds.set(split, resumed?.has(split) === true ? lastMs : null);
      this.#silent.set(split, point);
    }
  }

  note({ ends, times }: Pick<SourceBatch, "ends" | "times">): void {
    for (const [split, timeMs] of times ?? []) {
      this.#bounds.set(split, timeMs);
      this.#silent.delete(split);
    }
    for (const [split, point] of ends) {
      const end = this.#silent.get(split);
      // All that there was had no time, such as the marks of transactions.
      if (end === undefined || this.#compare(point, end) < 0) continue;
      this.#bounds.delete(split);
      this.#silent.delete(split);
    }
  }

  /** Milliseconds since 1970 UTC; null while there is nothing to claim. */
  get ms(): number | null {
    const bounds = [...this.#bounds.values()];
    if (bounds.length === 0 || bounds.includes(null)) return this.#highest;
    const least = Math.min(...bounds.map(Number));
    this.#highest = this.#highest === null ? least : Math.max(this.#highest, least);
    return this.#highest;
  }
}
