/** Bytes of a block of entries, the unit of looking up and of checking: 85 exact keys or 51 fingerprints and nothing left over. */
export const BLOCK_BYTES = 1 << 10;
export const BLOCK_WORDS = BLOCK_BYTES / 4;

/** 32-bit words of a key in a sidecar: exact keys leave out two that are always zero. */
export type StoredWords = 2 | 4;

/** Stored keys with a number behind each: a row of the sidecar, or which of several wanted keys it is. */
export function entryWords(words: StoredWords): 3 | 5 {
  return words === 2 ? 3 : 5;
}

export function entriesPerBlock(words: StoredWords): number {
  return Math.floor((BLOCK_WORDS - 1) / entryWords(words));
}

/**
 * The checksum of a block, whose first word it is: of the other words, in three lanes that a CPU works on at once. Whatever happens to one word
 * changes it. A CRC-32 takes five times as long, most of it for the call, where looking up keys calls it once for nearly each.
 *
 * @param start of the block, in words.
 */
export function checksumOf(words: Uint32Array, start: number): number {
  let a = 0x9e3779b1;
  let b = 0x85ebca77;
  let c = 0xc2b2ae3d;
  for (let i = start + 1; i < start + BLOCK_WORDS; i += 3) {
    a = Math.imul(a ^ (words[i] as number), 0x9e3779b1);
    a ^= a >>> 15;
    b = Math.imul(b ^ (words[i + 1] as number), 0x85ebca77);
    b ^= b >>> 15;
    c = Math.imul(c ^ (words[i + 2] as number), 0xc2b2ae3d);
    c ^= c >>> 15;
  }
  return (a ^ Math.imul(b, 3) ^ Math.imul(c, 5)) >>> 0;
}

/** Goes on with a checksum, 0 at first, over words whose number is a multiple of four. */
export function addToChecksum(before: number, words: Uint32Array, from: number, end: number): number {
  let [a, b, c, d] = [before, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f];
  for (let i = from; i < end; i += 4) {
    a = Math.imul(a ^ (words[i] as number), 0x9e3779b1);
    a ^= a >>> 15;
    b = Math.imul(b ^ (words[i + 1] as number), 0x85ebca77);
    b ^= b >>> 15;
    c = Math.imul(c ^ (words[i + 2] as number), 0xc2b2ae3d);
    c ^= c >>> 15;
    d = Math.imul(d ^ (words[i + 3] as number), 0x27d4eb2f);
    d ^= d >>> 15;
  }
  return (a ^ Math.imul(b, 3) ^ Math.imul(c, 5) ^ Math.imul(d, 7)) >>> 0;
}

/** Whether a block is whole, and the one that begins with this word rather than another that lies in its place. */
export function isBlock(words: Uint32Array, start: number, firstWord: number | undefined): boolean {
  return words[start + 1] === firstWord && checksumOf(words, start) === words[start];
}
