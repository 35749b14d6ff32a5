import type { ChangeBatch } from "./change-batch.ts";
import type { Position } from "./position.ts";
import type { StreamIds } from "./stream-id.ts";

/** What one pull yields: changes in each split's order, and how far each split has come with them. */
export interface SourceBatch {
  readonly changes: readonly ChangeBatch[];
  /** The resume points of the splits that moved, also over records that gave no change (control records, heartbeats, other tables). */
  readonly ends: Position;
  /** Messages taken, for figures. */
  readonly records: number;
  /** Size of those messages, keys and values, before they were decoded; absent where the source cannot tell. */
  readonly bytes?: number;
  /** Source time of the newest message of each split that moved, milliseconds since 1970 UTC; absent where the source tells none. */
  readonly times?: ReadonlyMap<string, number>;
}

/**
 * A changelog. Pulled: the next batch is fetched when the reader asks, which is all the back-pressure there is (a source may fetch
 * ahead within a bound of its own). Reading from the same point gives the same changes in the same order, split by split.
 */
export interface Source {
  /** Connects and checks that everything the job names exists. @throws FrazilError `config`, `unavailable`, `permission`. */
  open(): Promise<void>;
  /** Tells the source which streams the tables' positions are of, before it is asked for positions. */
  recall?(known: StreamIds): void;
  /** The streams that are read, as far as the source can tell them apart: stamped with every position. */
  streamIds?(): StreamIds;
  /** The point where a split without a position starts, for all splits there are now, by the job's `start`. */
  startPosition(): Promise<Position>;
  /** The end of each split as of now: a reader that has come this far has caught up. */
  endPosition(): Promise<Position>;
  /**
   * Reads on from `from`. Splits that `from` lacks and that appear later are read from their very start; within one pull the
   * batches of all splits are in arrival order. Yields an empty batch from time to time when idle (at least every second).
   * @throws FrazilError kind `data`, code `LOST_OFFSETS`, when a point is no longer held (unless the job allows a gap).
   */
  read(from: Position, signal: AbortSignal): AsyncIterable<SourceBatch>;
  /** Negative, zero or positive as point `a` lies before, at or after `b` in its split. */
  comparePoints(a: string, b: string): number;
  /** What lies between two points of a split, for figures, where points do not count messages; null: it cannot be told. */
  countBetween?(from: string, to: string): bigint | null;
  /** Tells the source that everything before is committed. Best effort: correctness never depends on it. */
  acknowledge(position: Position): Promise<void>;
  close(): Promise<void>;
}
