import type { ChangeBatch } from "./change-batch.ts";
import { trimBits, trimColumn } from "./trim-column.ts";

/** The first `length` rows of a batch. */
export function trimBatch(batch: ChangeBatch, length: number): ChangeBatch {
  return {
    ...batch,
    length,
    ops: batch.ops.subarray(0, length),
    columns: batch.columns.map((column) => trimColumn(column, length)),
    absent: batch.absent.map((bits) => (bits === null ? null : finishedBits(bits, length))),
    ...(batch.timesUs === undefined ? {} : { timesUs: batch.timesUs.subarray(0, length) }),
  };
}

/** A bitmap of `length` rows; a row that was dropped may have left a bit behind it. Null: no bit is set. */
export function finishedBits(bits: Uint8Array, length: number): Uint8Array | null {
  const size = (length + 7) >> 3;
  const finished = new Uint8Array(size);
  finished.set(bits.subarray(0, size));
  const trimmed = trimBits(finished, length);
  return trimmed.some((byte) => byte !== 0) ? trimmed : null;
}
