import { KEY_WORDS } from "../key-words.ts";

/** Bits of the filter per wanted key, so that of the keys that are not wanted few get past it, within bounds that fit a CPU's cache. */
const FILTER_BITS_A_KEY = 64;
const MIN_FILTER_BITS = 1 << 16;
const MAX_FILTER_BITS = 1 << 25;

/**
 * A set of keys that blocks of many keys are searched for: a filter of bits, then open addressing. Nothing is allocated per key.
 * Keys of two words have no others that matter.
 */
export class WantedKeys {
  readonly #keys: Uint32Array;
  readonly #words: 2 | 4;
  readonly #filter: Uint32Array;
  readonly #filterMask: number;
  /** Indexes of keys, -1 where free. */
  readonly #slots: Int32Array;
  readonly #mask: number;

  /** @param keys of four words each. @param indexes of the wanted ones, which are distinct keys. */
  constructor(keys: Uint32Array, indexes: readonly number[], words: 2 | 4) {
    this.#keys = keys;
    this.#words = words;
    const bits = powerOfTwo(Math.min(MAX_FILTER_BITS, Math.max(MIN_FILTER_BITS, indexes.length * FILTER_BITS_A_KEY)));
    this.#filter = new Uint32Array(bits / 32);
    this.#filterMask = this.#filter.length - 1;
    this.#slots = new Int32Array(powerOfTwo(indexes.length * 2 + 2)).fill(-1);
    this.#mask = this.#slots.length - 1;
    for (const index of indexes) this.#put(index);
  }

  /** Looks at every key of a block. @param first row number of the block's first key. */
  search(block: Uint32Array, first: number, found: (index: number, row: number) => void): void {
    const words = this.#words;
    const filter = this.#filter;
    const filterMask = this.#filterMask;
    let row = first;
    for (let at = 0; at < block.length; at += words, row++) {
      const h = hash(block[at] as number, block[at + 1] as number);
      if ((((filter[(h >>> 5) & filterMask] as number) >>> (h & 31)) & 1) === 0) continue;
      const index = this.#find(block, at, h);
      if (index >= 0) found(index, row);
    }
  }

  #put(index: number): void {
    const keys = this.#keys;
    const h = hash(keys[index * KEY_WORDS] as number, keys[index * KEY_WORDS + 1] as number);
    (this.#filter[(h >>> 5) & this.#filterMask] as number) |= 1 << (h & 31);
    let slot = h & this.#mask;
    while ((this.#slots[slot] as number) >= 0) slot = (slot + 1) & this.#mask;
    this.#slots[slot] = index;
  }

  #find(block: Uint32Array, at: number, h: number): number {
    const keys = this.#keys;
    const long = this.#words === 4;
    for (let slot = h & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const index = this.#slots[slot] as number;
      if (index < 0) return -1;
      const key = index * KEY_WORDS;
      if (keys[key] !== block[at] || keys[key + 1] !== block[at + 1]) continue;
      if (!long || (keys[key + 2] === block[at + 2] && keys[key + 3] === block[at + 3])) return index;
    }
  }
}

function hash(a: number, b: number): number {
  const h = Math.imul(a ^ Math.imul(b, 0x9e3779b1), 0x85ebca6b);
  return h ^ (h >>> 15);
}

function powerOfTwo(atLeast: number): number {
  let power = 1;
  while (power < atLeast) power *= 2;
  return power;
}
