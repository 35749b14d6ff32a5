/** Registers of 64 bits, the high word first: h1, h2, k. */
const H1 = 0;
const H2 = 2;
const K = 4;
const words = new Uint32Array(6);

const C1_HIGH = 0x87c37b91;
const C1_LOW = 0x114253d5;
const C2_HIGH = 0x4cf5ad43;
const C2_LOW = 0x2745937f;

/**
 * The first 64 bits of MurmurHash3_x64_128 (Austin Appleby, public domain), as two unsigned words.
 * @param seed an unsigned 32-bit number @param out gets the high word, then the low one
 */
export function murmur3x64(bytes: Uint8Array, seed: number, out: Uint32Array): void {
  words.fill(0);
  words[H1 + 1] = seed;
  words[H2 + 1] = seed;
  const { length } = bytes;
  const tail = length - (length % 16);
  for (let at = 0; at < tail; at += 16) {
    loadWord(bytes, at, 8);
    mixFirst();
    rotate(H1, 27);
    add(H1, words[H2] as number, words[H2 + 1] as number);
    multiply(H1, 0, 5);
    add(H1, 0, 0x52dce729);
    loadWord(bytes, at + 8, 8);
    mixSecond();
    rotate(H2, 31);
    add(H2, words[H1] as number, words[H1 + 1] as number);
    multiply(H2, 0, 5);
    add(H2, 0, 0x38495ab5);
  }
  if (length - tail > 8) {
    loadWord(bytes, tail + 8, length - tail - 8);
    mixSecond();
  }
  if (length > tail) {
    loadWord(bytes, tail, Math.min(8, length - tail));
    mixFirst();
  }
  words[H1 + 1] = (words[H1 + 1] as number) ^ length;
  words[H2 + 1] = (words[H2 + 1] as number) ^ length;
  add(H1, words[H2] as number, words[H2 + 1] as number);
  add(H2, words[H1] as number, words[H1 + 1] as number);
  finish(H1);
  finish(H2);
  add(H1, words[H2] as number, words[H2 + 1] as number);
  out[0] = words[H1] as number;
  out[1] = words[H1 + 1] as number;
}

function mixFirst(): void {
  multiply(K, C1_HIGH, C1_LOW);
  rotate(K, 31);
  multiply(K, C2_HIGH, C2_LOW);
  words[H1] = (words[H1] as number) ^ (words[K] as number);
  words[H1 + 1] = (words[H1 + 1] as number) ^ (words[K + 1] as number);
}

function mixSecond(): void {
  multiply(K, C2_HIGH, C2_LOW);
  rotate(K, 33);
  multiply(K, C1_HIGH, C1_LOW);
  words[H2] = (words[H2] as number) ^ (words[K] as number);
  words[H2 + 1] = (words[H2 + 1] as number) ^ (words[K + 1] as number);
}

function finish(at: number): void {
  fold(at);
  multiply(at, 0xff51afd7, 0xed558ccd);
  fold(at);
  multiply(at, 0xc4ceb9fe, 0x1a85ec53);
  fold(at);
}

/** x ^= x >>> 33. */
function fold(at: number): void {
  words[at + 1] = (words[at + 1] as number) ^ ((words[at] as number) >>> 1);
}

/** Up to eight little-endian bytes into `K`. */
function loadWord(bytes: Uint8Array, at: number, count: number): void {
  let low = 0;
  let high = 0;
  for (let i = Math.min(4, count) - 1; i >= 0; i--) low = (low << 8) | (bytes[at + i] as number);
  for (let i = count - 1; i >= 4; i--) high = (high << 8) | (bytes[at + i] as number);
  words[K] = high;
  words[K + 1] = low;
}

function rotate(at: number, bits: number): void {
  let high = words[at] as number;
  let low = words[at + 1] as number;
  if (bits >= 32) [high, low] = [low, high];
  const by = bits % 32;
  words[at] = (high << by) | (low >>> (32 - by));
  words[at + 1] = (low << by) | (high >>> (32 - by));
}

function add(at: number, high: number, low: number): void {
  const sum = (words[at + 1] as number) + low;
  words[at] = (words[at] as number) + high + (sum > 0xffffffff ? 1 : 0);
  words[at + 1] = sum;
}

/** The lower 64 bits of the product. */
function multiply(at: number, high: number, low: number): void {
  const a = words[at + 1] as number;
  const crossed = Math.imul(words[at] as number, low) + Math.imul(a, high);
  // The upper half of the product of two words, by halves of 16 bits: none of the sums exceeds 2^32.
  const [a0, a1, b0, b1] = [a & 0xffff, a >>> 16, low & 0xffff, low >>> 16];
  const first = a1 * b0 + ((a0 * b0) >>> 16);
  const second = a0 * b1 + (first & 0xffff);
  words[at] = a1 * b1 + (first >>> 16) + (second >>> 16) + crossed;
  words[at + 1] = Math.imul(a, low);
}
