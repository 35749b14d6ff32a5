import { type FileHandle, open } from "node:fs/promises";
import { readSync } from "node:fs";
import type { Clock } from "../../core/runtime.ts";
import { BLOCK_BYTES, BLOCK_WORDS, checkBlock, entriesPerBlock, lost, type Sidecar } from "./sidecar.ts";
import { entryWords } from "./stored-keys.ts";

/** Blocks read at once, at most: 1 MiB. */
const RANGE_BLOCKS = 1 << 10;

/**
 * Unwanted blocks between two wanted ones that are read along: copying them costs less than another call (of 0, 4, 12 and 24 the least, measured
 * with 100,000 of 200 million keys). So a dense search becomes one sequential read.
 */
const GAP_BLOCKS = 4;

/** Reads that are made before others have their turn: a millisecond or so when the file is in the page cache. */
const READS_A_TURN = 500;

/** The same for a file that is read whole. */
const RANGES_A_TURN = 16;

/** A read from the page cache takes 2 to 4 µs; one from a disk a multiple of this. */
const SLOW_READ_MS = 0.03;

/** What disks read in a millisecond at least when they are read from end to end. */
const STREAMED_BLOCKS_A_MS = 500;

/**
 * Looks up wanted keys in a sidecar. Of a file that turns out not to be in the page cache the rest is read from end to end if that is faster, after which
 * it is.
 *
 * @param wanted entries in ascending order, each with a number. @param found is told the number of a wanted key and a row of the sidecar that has it, for
 *   every such row.
 * @throws whatever is wrong with the file: each block that is looked into is checked before.
 */
export async function searchSidecar(
  sidecar: Sidecar,
  wanted: Uint32Array,
  clock: Pick<Clock, "monotonicMs">,
  found: (index: number, row: number) => void,
): Promise<void> {
  const handle = await open(sidecar.path, "r");
  try {
    const search = new Search(sidecar, handle.fd, wanted, found);
    let since = clock.monotonicMs();
    while (search.step()) {
      search.adapt(clock.monotonicMs() - since);
      await others(handle);
      since = clock.monotonicMs();
    }
  } finally {
    await handle.close();
  }
}

/** Gives way to whatever else waits; a file operation is the plain way to do so. */
async function others(handle: FileHandle): Promise<void> {
  await handle.stat();
}

class Search {
  readonly #sidecar: Sidecar;
  readonly #fd: number;
  readonly #wanted: Uint32Array;
  readonly #found: (index: number, row: number) => void;
  readonly #bytes = new Uint8Array(RANGE_BLOCKS * BLOCK_BYTES);
  readonly #words = new Uint32Array(this.#bytes.buffer);
  readonly #stride: 3 | 5;
  /** Next wanted entry, in words. */
  #next = 0;
  /** No later than the next block to look at. */
  #block = 0;
  #gap = GAP_BLOCKS;

  constructor(sidecar: Sidecar, fd: number, wanted: Uint32Array, found: (index: number, row: number) => void) {
    this.#sidecar = sidecar;
    this.#fd = fd;
    this.#wanted = wanted;
    this.#found = found;
    this.#stride = entryWords(sidecar.words);
  }

  /** Makes some reads. @returns whether more are to be made. */
  step(): boolean {
    const { fence } = this.#sidecar;
    if (fence.length === 0) return false;
    const turn = this.#gap === GAP_BLOCKS ? READS_A_TURN : RANGES_A_TURN;
    for (let reads = 0; reads < turn; reads++) {
      if (this.#next >= this.#wanted.length) return false;
      const from = this.#next;
      const first = lastBelow(fence, this.#block, this.#wanted[from] as number);
      let last = first;
      let end = from;
      while (end < this.#wanted.length) {
        const word = this.#wanted[end] as number;
        const begin = lastBelow(fence, last, word);
        if (begin > last + this.#gap) break;
        let until = begin;
        while (until + 1 < fence.length && (fence[until + 1] as number) <= word) until++;
        // A crowd of equal words may be longer than the buffer: it is read alone.
        if (until - first >= RANGE_BLOCKS && end > from) break;
        last = Math.max(last, until);
        end += this.#stride;
        if (last - first >= RANGE_BLOCKS) break;
      }
      for (let start = first; start <= last; start += RANGE_BLOCKS) {
        this.#look(start, Math.min(last, start + RANGE_BLOCKS - 1), from, end);
      }
      this.#next = end;
      // Not the last one: the next key may have the same first word.
      this.#block = first;
    }
    return true;
  }

  /** Takes account of how long a turn took. */
  adapt(durationMs: number): void {
    if (this.#gap !== GAP_BLOCKS || durationMs < READS_A_TURN * SLOW_READ_MS) return;
    const lookUpMs = ((this.#wanted.length - this.#next) / this.#stride) * (durationMs / READS_A_TURN);
    const streamMs = (this.#sidecar.fence.length - this.#block) / STREAMED_BLOCKS_A_MS;
    if (streamMs < lookUpMs) this.#gap = RANGE_BLOCKS;
  }

  /** Reads blocks and looks for the wanted entries `from` to `end` in them. */
  #look(first: number, last: number, from: number, end: number): void {
    const { path, fence, words, entries } = this.#sidecar;
    const length = (last - first + 1) * BLOCK_BYTES;
    if (readSync(this.#fd, this.#bytes, 0, length, first * BLOCK_BYTES) !== length) throw lost(path, "it ends early");
    const perBlock = entriesPerBlock(words);
    let checked = first - 1;
    let block = first;
    for (let at = from; at < end; at += this.#stride) {
      const word = this.#wanted[at] as number;
      // Entries of this word begin here, or with the next block.
      while (block < last && (fence[block + 1] as number) < word) block++;
      for (let look = block; look <= last && (look === block || (fence[look] as number) <= word); look++) {
        if (look > checked) checkBlock(path, this.#bytes, this.#words, look, look - first);
        checked = Math.max(checked, look);
        const inBlock = Math.min(perBlock, entries - look * perBlock);
        this.#compare((look - first) * BLOCK_WORDS + 1, inBlock, at);
      }
    }
  }

  /** Compares the entries of a block that have a wanted entry's first word. */
  #compare(start: number, count: number, at: number): void {
    const words = this.#words;
    const wanted = this.#wanted;
    const stride = this.#stride;
    const word = wanted[at] as number;
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((words[start + middle * stride] as number) < word) low = middle + 1;
      else high = middle;
    }
    for (let i = start + low * stride; low < count && words[i] === word; low++, i += stride) {
      if (words[i + 1] !== wanted[at + 1]) continue;
      if (stride === 5 && (words[i + 2] !== wanted[at + 2] || words[i + 3] !== wanted[at + 3])) continue;
      this.#found(wanted[at + stride - 1] as number, words[i + stride - 1] as number);
    }
  }
}

/** The last block from `from` on that begins below a word: its entries begin there or in the next. `from` when none does. */
function lastBelow(fence: Uint32Array, from: number, word: number): number {
  let low = from;
  let step = 1;
  while (low + step < fence.length && (fence[low + step] as number) < word) {
    low += step;
    step *= 2;
  }
  let high = Math.min(low + step, fence.length);
  while (low + 1 < high) {
    const middle = (low + high) >>> 1;
    if ((fence[middle] as number) < word) low = middle;
    else high = middle;
  }
  return low;
}
