/**
 * MurmurHash3_x86_128 (Austin Appleby, public domain) of the first `length` bytes, written as four words to `out` from `at`.
 * Only compared within one process; the seed keeps chosen keys from colliding on purpose.
 */
export function murmur128(bytes: Uint8Array, length: number, seed: number, out: Uint32Array, at: number): void {
  let h1 = seed;
  let h2 = seed;
  let h3 = seed;
  let h4 = seed;
  const blocks = length >>> 4;
  for (let block = 0; block < blocks; block++) {
    const i = block << 4;
    h1 = mixBlock(h1, word(bytes, i), C1, C2, 15);
    h1 = (Math.imul(rotl(h1, 19) + h2, 5) + 0x561ccd1b) | 0;
    h2 = mixBlock(h2, word(bytes, i + 4), C2, C3, 16);
    h2 = (Math.imul(rotl(h2, 17) + h3, 5) + 0x0bcaa747) | 0;
    h3 = mixBlock(h3, word(bytes, i + 8), C3, C4, 17);
    h3 = (Math.imul(rotl(h3, 15) + h4, 5) + 0x96cd1c35) | 0;
    h4 = mixBlock(h4, word(bytes, i + 12), C4, C1, 18);
    h4 = (Math.imul(rotl(h4, 13) + h1, 5) + 0x32ac3b17) | 0;
  }
  const tail = blocks << 4;
  const rest = length & 15;
  if (rest > 12) h4 = mixBlock(h4, tailWord(bytes, tail + 12, rest - 12), C4, C1, 18);
  if (rest > 8) h3 = mixBlock(h3, tailWord(bytes, tail + 8, rest - 8), C3, C4, 17);
  if (rest > 4) h2 = mixBlock(h2, tailWord(bytes, tail + 4, rest - 4), C2, C3, 16);
  if (rest > 0) h1 = mixBlock(h1, tailWord(bytes, tail, rest), C1, C2, 15);
  h1 ^= length;
  h2 ^= length;
  h3 ^= length;
  h4 ^= length;
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = (h2 + h1) | 0;
  h3 = (h3 + h1) | 0;
  h4 = (h4 + h1) | 0;
  h1 = finish(h1);
  h2 = finish(h2);
  h3 = finish(h3);
  h4 = finish(h4);
  h1 = (h1 + h2 + h3 + h4) | 0;
  out[at] = h1;
  out[at + 1] = h2 + h1;
  out[at + 2] = h3 + h1;
  out[at + 3] = h4 + h1;
}

const C1 = 0x239b961b;
const C2 = 0xab0e9789;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93;

function rotl(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}

function mixBlock(h: number, k: number, a: number, b: number, bits: number): number {
  return h ^ Math.imul(rotl(Math.imul(k, a), bits), b);
}

function word(bytes: Uint8Array, i: number): number {
  return (
    (bytes[i] as number) |
    ((bytes[i + 1] as number) << 8) |
    ((bytes[i + 2] as number) << 16) |
    ((bytes[i + 3] as number) << 24)
  );
}

function tailWord(bytes: Uint8Array, i: number, count: number): number {
  let k = 0;
  for (let j = Math.min(count, 4) - 1; j >= 0; j--) k = (k << 8) | (bytes[i + j] as number);
  return k;
}

/** MurmurHash3's final mix of one word; also spreads exact keys over a table's slots. */
export function finish(value: number): number {
  let h = value ^ (value >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
