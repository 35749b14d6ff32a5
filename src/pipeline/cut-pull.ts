import type { ChangeBatch } from "../core/change-batch.ts";
import type { Position } from "../core/position.ts";
import type { Source, SourceBatch } from "../core/source.ts";
import { trimBatch } from "../core/trim-batch.ts";
import type { DeadLetters } from "../sink/dead-letters/dead-letters.ts";
import { firstNewRow } from "../sink/changes/buffered-changes.ts";

/** What a run takes of a pull: its changes, and the dead letters among its messages. */
export interface Pull {
  readonly batch: SourceBatch;
  readonly letters: readonly ChangeBatch[];
}

/**
 * A pull up to its row `maxRows`, and the position just behind it: one split after another, in the order in which they come, is taken
 * whole while it fits, one is cut, and the others are left to the next run. Changes of one message stay together, so that a few rows
 * more may be taken. Messages and bytes of what is left are estimated.
 *
 * @param rejects counted the letters that are left, and gets them back.
 */
export function cutPull(
  { batch, letters }: Pull,
  maxRows: number,
  compare: Source["comparePoints"],
  rejects: Pick<DeadLetters, "giveBack"> | null,
): Pull {
  const cuts = cutPoints(batch.changes, maxRows, compare);
  if (cuts.size === 0) return { batch, letters };
  let messages = 0;
  const keep = (changes: ChangeBatch, give?: (from: number) => void): ChangeBatch[] => {
    const cut = cuts.get(changes.split);
    if (cut === undefined) return [changes];
    const length = cut === null ? 0 : firstNewRow(changes, new Map([[changes.split, cut]]), compare);
    messages += distinctPoints(changes, length);
    if (length < changes.length) give?.(length);
    if (length === 0) return [];
    const sizeBytes = Math.round((changes.sizeBytes * length) / changes.length);
    return [{ ...trimBatch(changes, length), sizeBytes }];
  };
  const kept = batch.changes.flatMap((changes) => keep(changes));
  const keptLetters = letters.flatMap((each) => keep(each, (from) => rejects?.giveBack(each, from)));
  const records = Math.max(0, batch.records - messages);
  const { bytes, times, ...rest } = batch;
  return {
    batch: {
      ...rest,
      changes: kept,
      ends: cutEnds(batch.ends, cuts),
      records,
      ...(bytes === undefined ? {} : { bytes: Math.round((bytes * records) / Math.max(1, batch.records)) }),
      // What a split that is cut has come to in time is not known.
      ...(times === undefined ? {} : { times: new Map([...times].filter(([split]) => !cuts.has(split))) }),
    },
    letters: keptLetters,
  };
}

/** The last point to take of each split that is not taken whole; null: nothing of it is. */
function cutPoints(
  changes: readonly ChangeBatch[],
  maxRows: number,
  compare: Source["comparePoints"],
): Map<string, string | null> {
  const cuts = new Map<string, string | null>();
  let left = maxRows;
  for (const [split, batches] of Map.groupBy(changes, (each) => each.split)) {
    const rows = batches.reduce((sum, { length }) => sum + length, 0);
    if (rows > left) cuts.set(split, left === 0 ? null : nthPoint(batches, left, compare));
    left = Math.max(0, left - rows);
  }
  return cuts;
}

/** The point after the `n`th row of a split's batches, which may be of several tables. */
function nthPoint(batches: readonly ChangeBatch[], n: number, compare: Source["comparePoints"]): string {
  const points = batches.flatMap(({ points: { after }, length }) =>
    Array.from({ length: Math.min(length, n) }, (_, row) => after(row)),
  );
  return points.sort(compare)[n - 1] as string;
}

function cutEnds(ends: Position, cuts: ReadonlyMap<string, string | null>): Position {
  const moved = new Map(ends);
  for (const [split, cut] of cuts) {
    if (cut === null) moved.delete(split);
    else moved.set(split, cut);
  }
  return moved;
}

/** How many messages the rows from `from` on are of. */
function distinctPoints({ points, length }: ChangeBatch, from: number): number {
  let count = 0;
  let last: string | null = null;
  for (let row = from; row < length; row++) {
    const point = points.after(row);
    if (point !== last) count++;
    last = point;
  }
  return count;
}
