import { Op } from "../../core/change-batch.ts";
import { must } from "../../core/errors.ts";
import { type BufferedBatch, lastTruncate } from "./buffered-changes.ts";
import { KeyMap } from "../keys/key-map.ts";
import { KEY_WORDS } from "../keys/key-words.ts";

/** The rows of a checkpoint that reach the table. */
export interface Selection {
  /** Number of the batch that holds each row to be written. */
  readonly sourceOf: Uint32Array;
  /** Its row there. */
  readonly rows: Uint32Array;
  /** Keys of the rows to be written, beside them; empty for tables without key. */
  readonly keys: Uint32Array;
  /** Keys whose last change is a delete. */
  readonly deletedKeys: Uint32Array;
  /** Every row that the table held before goes. */
  readonly truncated: boolean;
}

/** All rows: append tables. */
export function selectAll(batches: readonly BufferedBatch[]): Selection {
  const total = batches.reduce((sum, { batch, from }) => sum + batch.length - from, 0);
  const sourceOf = new Uint32Array(total);
  const rows = new Uint32Array(total);
  let next = 0;
  for (const [source, { batch, from }] of batches.entries()) {
    for (let row = from; row < batch.length; row++) {
      sourceOf[next] = source;
      rows[next++] = row;
    }
  }
  return { sourceOf, rows, keys: NO_KEYS, deletedKeys: NO_KEYS, truncated: false };
}

/**
 * The last change of each key, after the last truncate.
 * @param keysOf the keys of each batch's rows. @param left rows that do not count (1), for each batch that has some.
 */
export function selectLast(
  batches: readonly BufferedBatch[],
  keysOf: readonly Uint32Array[],
  left: readonly (Uint8Array | null)[] = [],
): Selection {
  const truncate = lastTruncate(batches, left);
  const startBatch = truncate?.batch ?? 0;
  const total = batches.reduce((sum, { batch, from }) => sum + batch.length - from, 0);
  const order = new KeyMap(total);
  for (let source = startBatch; source < batches.length; source++) {
    const { batch, from } = must(batches[source], "a batch");
    const keys = must(keysOf[source], "keys of a batch");
    const start = truncate !== null && source === truncate.batch ? truncate.row + 1 : from;
    const leaves = left[source] ?? null;
    for (let row = start; row < batch.length; row++) {
      if (leaves?.[row] !== 1) order.put(keys, row * KEY_WORDS, source, row);
    }
  }
  const sourceOf = new Uint32Array(order.size);
  const rows = new Uint32Array(order.size);
  const keys = new Uint32Array(order.size * KEY_WORDS);
  const deletedKeys = new Uint32Array(order.size * KEY_WORDS);
  let written = 0;
  let deleted = 0;
  for (let source = startBatch; source < batches.length; source++) {
    const { batch, from } = must(batches[source], "a batch");
    const batchKeys = must(keysOf[source], "keys of a batch");
    const start = truncate !== null && source === truncate.batch ? truncate.row + 1 : from;
    for (let row = start; row < batch.length; row++) {
      const at = row * KEY_WORDS;
      const slot = order.find(batchKeys, at);
      if (slot < 0 || order.fileAt(slot) !== source || order.positionAt(slot) !== row) continue;
      if (batch.ops[row] === Op.delete) {
        copyKey(batchKeys, at, deletedKeys, deleted++);
      } else {
        copyKey(batchKeys, at, keys, written);
        sourceOf[written] = source;
        rows[written++] = row;
      }
    }
  }
  return {
    sourceOf: sourceOf.subarray(0, written),
    rows: rows.subarray(0, written),
    keys: keys.subarray(0, written * KEY_WORDS),
    deletedKeys: deletedKeys.subarray(0, deleted * KEY_WORDS),
    truncated: truncate !== null,
  };
}

const NO_KEYS = new Uint32Array(0);

function copyKey(from: Uint32Array, at: number, to: Uint32Array, index: number): void {
  for (let word = 0; word < KEY_WORDS; word++) to[index * KEY_WORDS + word] = from[at + word] as number;
}
