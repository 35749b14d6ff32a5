import { type AnyBatch, type Column, gatherAny } from "../../../table-format/index.ts";
import { assert, must } from "../../core/errors.ts";

/** Sorted rows: the table's columns, then their keys (bytes) and their numbers among all rows that are sorted. */
export type KeyedBatch = AnyBatch;

/** Compared as unsigned bytes. */
export type Keys = Column & { readonly layout: "bytes" };

/** The keys of a keyed batch. */
export function keysOf(batch: KeyedBatch): Keys {
  const keys = must(batch.columns.at(-2), "a keyed batch has keys");
  assert(keys.layout === "bytes", "keys are bytes");
  return keys;
}

/** The numbers of a keyed batch's rows among all rows that are sorted. */
export function numbersOf(batch: KeyedBatch): Int32Array {
  const numbers = must(batch.columns.at(-1), "a keyed batch has row numbers");
  assert(numbers.layout === "i32", "row numbers are words");
  return numbers.values;
}

/** Picks rows of some batches as one. */
export function gatherRows(sources: readonly KeyedBatch[], sourceOf: Uint32Array, rows: Uint32Array): KeyedBatch {
  const first = must(sources[0], "a batch to pick from");
  const columns = first.columns.map(({ type }, k) =>
    gatherAny(
      type,
      sources.map((source) => must(source.columns[k], `column ${k}`)),
      sourceOf,
      rows,
    ),
  );
  return { length: rows.length, columns };
}

/** Where the merge stands in one run. */
interface Cursor {
  readonly run: number;
  readonly rest: AsyncIterator<KeyedBatch>;
  keys: Keys;
  length: number;
  row: number;
  /** The batch's place among those that rows of the next output are picked from. */
  source: number;
}

/**
 * Merges sorted runs into batches of at most `batchRows` rows. Rows with equal keys come out in the order of the runs. One batch of each
 * run is in memory, and those that ended since the last output.
 */
export async function* mergeRuns(
  runs: readonly AsyncIterable<KeyedBatch>[],
  batchRows: number,
): AsyncGenerator<KeyedBatch> {
  let sources: KeyedBatch[] = [];
  const heap: Cursor[] = [];
  for (const [run, batches] of runs.entries()) {
    const rest = batches[Symbol.asyncIterator]();
    const batch = await nextBatch(rest);
    if (batch === null) continue;
    heap.push({ run, rest, keys: keysOf(batch), length: batch.length, row: 0, source: sources.push(batch) - 1 });
  }
  for (let at = (heap.length >> 1) - 1; at >= 0; at--) sink(heap, at);
  const most = Math.max(heap.length * 2, 2);
  const sourceOf = new Uint32Array(batchRows);
  const rows = new Uint32Array(batchRows);
  let picked = 0;
  while (heap.length > 0) {
    const cursor = heap[0] as Cursor;
    sourceOf[picked] = cursor.source;
    rows[picked++] = cursor.row++;
    let ended = false;
    if (cursor.row === cursor.length) {
      const batch = await nextBatch(cursor.rest);
      ended = true;
      if (batch === null) {
        heap[0] = heap.at(-1) as Cursor;
        heap.pop();
      } else {
        cursor.keys = keysOf(batch);
        cursor.length = batch.length;
        cursor.row = 0;
        cursor.source = sources.push(batch) - 1;
      }
    }
    if (heap.length > 1) sink(heap, 0);
    if (picked < batchRows && !(ended && sources.length >= most) && heap.length > 0) continue;
    yield gatherRows(sources, sourceOf.subarray(0, picked), rows.subarray(0, picked));
    picked = 0;
    const current = heap.map((each) => sources[each.source] as KeyedBatch);
    for (const [place, each] of heap.entries()) each.source = place;
    sources = current;
  }
}

async function nextBatch(rest: AsyncIterator<KeyedBatch>): Promise<KeyedBatch | null> {
  for (;;) {
    const next = await rest.next();
    if (next.done === true) return null;
    if (next.value.length > 0) return next.value;
  }
}

/** Lets the cursor at a place of the heap go down to where it belongs. */
function sink(heap: Cursor[], from: number): void {
  let at = from;
  const moving = heap[at] as Cursor;
  for (;;) {
    let child = at * 2 + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(heap[child + 1] as Cursor, heap[child] as Cursor)) child++;
    if (!isBefore(heap[child] as Cursor, moving)) break;
    heap[at] = heap[child] as Cursor;
    at = child;
  }
  heap[at] = moving;
}

function isBefore(a: Cursor, b: Cursor): boolean {
  const found = compareKeys(a.keys, a.row, b.keys, b.row);
  return found < 0 || (found === 0 && a.run < b.run);
}

function compareKeys(a: Keys, rowA: number, b: Keys, rowB: number): number {
  const [atA, atB] = [a.offsets[rowA] as number, b.offsets[rowB] as number];
  const [sizeA, sizeB] = [(a.offsets[rowA + 1] as number) - atA, (b.offsets[rowB + 1] as number) - atB];
  const shared = Math.min(sizeA, sizeB);
  for (let k = 0; k < shared; k++) {
    const difference = (a.values[atA + k] as number) - (b.values[atB + k] as number);
    if (difference !== 0) return difference;
  }
  return sizeA - sizeB;
}

/** The rows of keys in their order; equal ones stay as they stood. */
export function sortedByKey(keys: Keys): Uint32Array {
  const { length, offsets, values } = keys;
  const rows = Uint32Array.from({ length }, (_, row) => row);
  // The eight bytes behind what all keys share decide most comparisons.
  const skip = sharedBytes(keys);
  const heads = new Uint32Array(length);
  const seconds = new Uint32Array(length);
  for (let row = 0; row < length; row++) {
    const end = offsets[row + 1] as number;
    const start = (offsets[row] as number) + skip;
    heads[row] = wordAt(values, start, end);
    seconds[row] = wordAt(values, start + 4, end);
  }
  return rows.sort((a, b) => {
    const head = (heads[a] as number) - (heads[b] as number);
    if (head !== 0) return head;
    const second = (seconds[a] as number) - (seconds[b] as number);
    return second === 0 ? compareKeys(keys, a, keys, b) : second;
  });
}

function wordAt(values: Uint8Array, start: number, end: number): number {
  let word = 0;
  for (let k = start; k < start + 4; k++) word = (word << 8) | (k < end ? (values[k] as number) : 0);
  return word >>> 0;
}

function sharedBytes({ length, offsets, values }: Keys): number {
  let shared = length === 0 ? 0 : (offsets[1] as number);
  for (let row = 1; row < length && shared > 0; row++) {
    const start = offsets[row] as number;
    shared = Math.min(shared, (offsets[row + 1] as number) - start);
    for (let k = 0; k < shared; k++) if (values[k] !== values[start + k]) shared = k;
  }
  return shared;
}
