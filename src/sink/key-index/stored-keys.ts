import { KEY_WORDS } from "../keys/key-words.ts";
import { finish } from "../keys/murmur128.ts";
import { entryWords, type StoredWords } from "./blocks.ts";

/**
 * Turns a key of `KEY_WORDS` words into the form in which sidecars hold it, written to `out` from `to`. Nothing is lost: two keys are equal if and
 * only if their stored forms are. The first word is spread evenly over 32 bits, so that entries in its order are in the order of a hash,
 * and where a key stands among them can be foreseen.
 *
 * @param seed of the table's keys: without it nobody can choose keys that crowd in one place.
 */
export function storeKey(
  keys: Uint32Array,
  at: number,
  words: StoredWords,
  seed: number,
  out: Uint32Array,
  to: number,
): void {
  const a = keys[at] as number;
  const b = keys[at + 1] as number;
  if (words === 2) {
    // Three rounds of a Feistel network: each can be undone.
    const x = a ^ finish(b + seed);
    const y = b ^ finish(x ^ 0x9e3779b1);
    out[to] = x ^ finish(y ^ seed);
    out[to + 1] = y;
    return;
  }
  const c = keys[at + 2] as number;
  const d = keys[at + 3] as number;
  out[to] = a ^ finish(b ^ Math.imul(c, 0x85ebca77) ^ Math.imul(d, 0xc2b2ae3d) ^ seed);
  out[to + 1] = b;
  out[to + 2] = c;
  out[to + 3] = d;
}

/** Entries of some of the keys, each with its index as number. */
export function storedEntries(
  keys: Uint32Array,
  indexes: ArrayLike<number>,
  words: StoredWords,
  seed: number,
): Uint32Array {
  const stride = entryWords(words);
  const entries = new Uint32Array(indexes.length * stride);
  let to = 0;
  for (let i = 0; i < indexes.length; i++) {
    const index = indexes[i] as number;
    storeKey(keys, index * KEY_WORDS, words, seed, entries, to);
    entries[to + words] = index;
    to += stride;
  }
  return entries;
}
