import { type BatchHeader, isAbortMarker, type Place } from "./record-batch.ts";

/** An entry of a fetch answer's list: the producer's transaction that began at this offset was aborted. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

/** Says of each batch of one fetch answer, asked in offset order, whether its records are messages that count. */
export interface CommittedFilter {
  /** False for control batches and for batches of aborted transactions. */
  keeps(header: BatchHeader): boolean;
}

/**
 * Read-committed filter for the record set of one topic partition in one fetch answer (KIP-98).
 *
 * Brokers list aborted transactions in the order in which they ended, not began, and list again in the next answer those that reach
 * into it. So: take entries in the order of their first offset; a producer is aborting from there until its own ABORT marker, or to
 * the end of the answer. Overlapping transactions, and one producer aborting again and again, need no more than that.
 */
export function committedFilter(
  aborted: readonly AbortedTransaction[],
  records: Buffer,
  place: Place,
): CommittedFilter {
  const byFirstOffset = aborted.toSorted((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  const aborting = new Set<bigint>();
  let entered = 0;
  return {
    keeps(header) {
      for (let next = byFirstOffset[entered]; next !== undefined; next = byFirstOffset[++entered]) {
        if (next.firstOffset > header.lastOffset) break;
        aborting.add(next.producerId);
      }
      if (header.control) {
        if (aborting.has(header.producerId) && isAbortMarker(records, header, place))
          aborting.delete(header.producerId);
        return false;
      }
      return !(header.transactional && aborting.has(header.producerId));
    },
  };
}
