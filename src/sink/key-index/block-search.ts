import { readSync } from "node:fs";
import { BLOCK_BYTES, BLOCK_WORDS, entriesPerBlock, entryWords, isBlock, type StoredWords } from "./blocks.ts";

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

/** What a search needs of a sidecar. */
export interface SearchedBlocks {
  readonly fence: Uint32Array;
  readonly words: StoredWords;
  readonly entries: number;
}

/**
 * Looks up wanted keys in the blocks of a sidecar, some at a time. It runs on the thread of the job and on one that helps it, which for this part
 * loads nothing else of the program.
 */
export class BlockSearch {
  readonly #blocks: SearchedBlocks;
  readonly #fd: number;
  readonly #wanted: Uint32Array;
  readonly #found: (index: number, row: number) => void;
  readonly #bytes = new Uint8Array(RANGE_BLOCKS * BLOCK_BYTES);
  readonly #words = new Uint32Array(this.#bytes.buffer);
  readonly #stride: 3 | 5;
  /** Next wanted entry, and where this part of them ends, in words. */
  #next = 0;
  #end = 0;
  /** No later than the next block to look at. */
  #block = 0;
  #gap = GAP_BLOCKS;

  /**
   * @param wanted entries in ascending order, each with a number. @param found is told the number of a wanted key and a row of the sidecar that has it,
   *   for every such row.
   */
  constructor(blocks: SearchedBlocks, fd: number, wanted: Uint32Array, found: (index: number, row: number) => void) {
    this.#blocks = blocks;
    this.#fd = fd;
    this.#wanted = wanted;
    this.#found = found;
    this.#stride = entryWords(blocks.words);
  }

  /** Whether the file is read from end to end, as its blocks come from disk. */
  get streams(): boolean {
    return this.#gap !== GAP_BLOCKS;
  }

  stream(): void {
    this.#gap = RANGE_BLOCKS;
  }

  /** Some of the wanted entries are to be looked up, which lie behind those before: by number, `end` exclusive. */
  begin(from: number, end: number): void {
    this.#next = from * this.#stride;
    this.#end = Math.min(end * this.#stride, this.#wanted.length);
  }

  /** Makes some reads. @returns whether more are to be made. @throws Error for a file that is not what was written. */
  step(): boolean {
    const { fence } = this.#blocks;
    if (fence.length === 0) return false;
    const turn = this.streams ? RANGES_A_TURN : READS_A_TURN;
    for (let reads = 0; reads < turn; reads++) {
      if (this.#next >= this.#end) return false;
      const from = this.#next;
      const first = lastBelow(fence, this.#block, this.#wanted[from] as number);
      let last = first;
      let end = from;
      while (end < this.#end) {
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
    if (this.streams || durationMs < READS_A_TURN * SLOW_READ_MS) return;
    const lookUpMs = ((this.#wanted.length - this.#next) / this.#stride) * (durationMs / READS_A_TURN);
    const streamMs = (this.#blocks.fence.length - this.#block) / STREAMED_BLOCKS_A_MS;
    if (streamMs < lookUpMs) this.stream();
  }

  /** Reads blocks and looks for the wanted entries `from` to `end` in them. */
  #look(first: number, last: number, from: number, end: number): void {
    const { fence, words, entries } = this.#blocks;
    const length = (last - first + 1) * BLOCK_BYTES;
    if (readSync(this.#fd, this.#bytes, 0, length, first * BLOCK_BYTES) !== length) throw new Error("it ends early");
    const perBlock = entriesPerBlock(words);
    let checked = first - 1;
    let block = first;
    for (let at = from; at < end; at += this.#stride) {
      const word = this.#wanted[at] as number;
      // Entries of this word begin here, or with the next block.
      while (block < last && (fence[block + 1] as number) < word) block++;
      for (let look = block; look <= last && (look === block || (fence[look] as number) <= word); look++) {
        const start = (look - first) * BLOCK_WORDS;
        if (look > checked && !isBlock(this.#words, start, fence[look])) throw new Error(`block ${look} is damaged`);
        checked = Math.max(checked, look);
        this.#compare(start + 1, Math.min(perBlock, entries - look * perBlock), at);
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
