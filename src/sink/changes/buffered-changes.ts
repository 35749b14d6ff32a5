import { type ChangeBatch, Op } from "../../core/change-batch.ts";
import { FrazilError } from "../../core/errors.ts";
import type { Position } from "../../core/position.ts";
import type { Source } from "../../core/source.ts";

/** A change batch from its row `from` on: what stands before is in the table already. */
export interface BufferedBatch {
  readonly batch: ChangeBatch;
  readonly from: number;
}

/**
 * The first row of a batch that lies beyond what the table holds. After a crash between two tables the source is read again from the
 * position that all have reached, and a table that is ahead skips what it has.
 */
export function firstNewRow(batch: ChangeBatch, held: Position, compare: Source["comparePoints"]): number {
  const point = held.get(batch.split);
  if (point === undefined || batch.length === 0) return 0;
  if (compare(batch.points.after(0), point) > 0) return 0;
  let low = 0;
  let high = batch.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(batch.points.after(middle), point) > 0) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Append tables take new rows only. @throws FrazilError `data` naming the first change that is none. */
export function refuseChanges(target: string, buffered: BufferedBatch): void {
  const { batch, from } = buffered;
  for (let row = from; row < batch.length; row++) {
    const op = batch.ops[row];
    if (op === Op.insert) continue;
    const name = op === Op.update ? "an update" : op === Op.delete ? "a delete" : "a truncate";
    throw new FrazilError(
      "data",
      "APPEND_CHANGE",
      `table ${target} has mode: append, which takes inserts only; ${batch.split} has ${name} just before point ${batch.points.after(row)}`,
      { hint: "use mode: upsert with a key" },
    );
  }
}

/** Whether a row is the second half of a key change: an insert that shares its point with the delete before it. */
export function hasChangedKey({ ops, points }: ChangeBatch, row: number): boolean {
  if (row === 0 || ops[row] !== Op.insert) return false;
  const before = ops[row - 1];
  return (before === Op.delete || before === Op.softDelete) && points.after(row - 1) === points.after(row);
}

/**
 * Position of the last truncate among the batches, or null: everything up to it is gone.
 * @param left rows that do not count (1), for each batch that has some.
 */
export function lastTruncate(
  batches: readonly BufferedBatch[],
  left: readonly (Uint8Array | null)[] = [],
): { batch: number; row: number } | null {
  for (let index = batches.length - 1; index >= 0; index--) {
    const { batch, from } = batches[index] as BufferedBatch;
    let row = batch.ops.lastIndexOf(Op.truncate);
    while (row >= from && left[index]?.[row] === 1) row = row === 0 ? -1 : batch.ops.lastIndexOf(Op.truncate, row - 1);
    if (row >= from) return { batch: index, row };
  }
  return null;
}
