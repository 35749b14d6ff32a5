import { FrazilError } from "../errors.ts";

/**
 * A set of 16-bit values: sorted values while sparse, one bit a value once dense. The run form of the portable format exists
 * only in files. Typed arrays are copied to and from files as they are, which supposes a little-endian machine, as Node's are.
 */
export type Container =
  | { kind: "array"; values: Uint16Array; size: number }
  /** `isBorrowed`: the words are part of a file's bytes, which stay as they are. */
  | { kind: "bitmap"; words: Uint32Array; size: number; isBorrowed: boolean };

/** Above this many values an array takes more room than a bitmap (RoaringFormatSpec: also decides the form in files). */
export const MAX_ARRAY_SIZE = 4096;
export const BITMAP_BYTES = 8192;
const BITMAP_WORDS = BITMAP_BYTES / 4;
/** Words whose bits are counted together; divides `BITMAP_WORDS`. */
const COUNTED_AT_ONCE = 8;

export function emptyContainer(): Container {
  return { kind: "array", values: new Uint16Array(4), size: 0 };
}

/** Adds a value in place. */
export function addTo(container: Container, value: number): void {
  if (container.kind === "array") {
    const { size } = container;
    // Positions mostly come in ascending order.
    const at = size === 0 || (container.values[size - 1] as number) < value ? size : lowerBound(container, value);
    if (at < size && container.values[at] === value) return;
    if (size < MAX_ARRAY_SIZE) {
      insertAt(container, at, value);
      return;
    }
    becomeBitmap(container);
  }
  const bitmap = container as Container & { kind: "bitmap" };
  const word = bitmap.words[value >>> 5] as number;
  const bit = 1 << (value & 31);
  if ((word & bit) !== 0) return;
  if (bitmap.isBorrowed) {
    bitmap.words = bitmap.words.slice();
    bitmap.isBorrowed = false;
  }
  bitmap.words[value >>> 5] = word | bit;
  bitmap.size += 1;
}

function insertAt(container: Container & { kind: "array" }, at: number, value: number): void {
  const { size } = container;
  if (size === container.values.length) {
    const grown = new Uint16Array(Math.min(MAX_ARRAY_SIZE, Math.max(4, size * 2)));
    grown.set(container.values);
    container.values = grown;
  }
  container.values.copyWithin(at + 1, at, size);
  container.values[at] = value;
  container.size = size + 1;
}

/** Changes the object's form in place, so that whoever holds it sees it. */
function becomeBitmap(container: Container): void {
  const words = toWords(container);
  Object.assign(container, { kind: "bitmap", words, isBorrowed: false });
  delete (container as { values?: Uint16Array }).values;
}

export function hasIn(container: Container, value: number): boolean {
  if (container.kind === "bitmap") return ((container.words[value >>> 5] as number) & (1 << (value & 31))) !== 0;
  const at = lowerBound(container, value);
  return at < container.size && container.values[at] === value;
}

/** How many values lie below `value`. */
export function countBelow(container: Container, value: number): number {
  if (container.kind === "array") return lowerBound(container, value);
  const last = value >>> 5;
  // Whole groups of words first, which are counted faster.
  const grouped = last - (last % COUNTED_AT_ONCE);
  let count = countBits(container.words, grouped);
  for (let i = grouped; i < last; i++) count += popCount(container.words[i] as number);
  return count + popCount((container.words[last] as number) & ((1 << (value & 31)) - 1));
}

export function copyOf(container: Container): Container {
  return container.kind === "array"
    ? { kind: "array", values: container.values.slice(0, Math.max(container.size, 4)), size: container.size }
    : { kind: "bitmap", words: container.words.slice(), size: container.size, isBorrowed: false };
}

/** Values of either. */
export function unionOf(a: Container, b: Container): Container {
  if (a.kind === "array" && b.kind === "array" && a.size + b.size <= MAX_ARRAY_SIZE) return mergeArrays(a, b);
  const words = toWords(a);
  const other = b.kind === "bitmap" ? b.words : toWords(b);
  for (let i = 0; i < BITMAP_WORDS; i++) words[i] = (words[i] as number) | (other[i] as number);
  return fromWords(words);
}

function mergeArrays(a: Container & { kind: "array" }, b: Container & { kind: "array" }): Container {
  const values = new Uint16Array(Math.max(a.size + b.size, 4));
  let size = 0;
  let i = 0;
  let j = 0;
  while (i < a.size || j < b.size) {
    const left = i < a.size ? (a.values[i] as number) : Number.POSITIVE_INFINITY;
    const right = j < b.size ? (b.values[j] as number) : Number.POSITIVE_INFINITY;
    values[size++] = left < right ? left : right;
    if (left <= right) i += 1;
    if (right <= left) j += 1;
  }
  return { kind: "array", values, size };
}

/** Values of `a` that are not in `b`. */
export function differenceOf(a: Container, b: Container): Container {
  if (a.kind === "array") {
    const values = a.values.subarray(0, a.size).filter((value) => !hasIn(b, value));
    return { kind: "array", values, size: values.length };
  }
  const words = toWords(a);
  const other = b.kind === "bitmap" ? b.words : toWords(b);
  for (let i = 0; i < BITMAP_WORDS; i++) words[i] = (words[i] as number) & ~(other[i] as number);
  return fromWords(words);
}

/** Calls `visit` with every value, ascending. */
export function eachValue(container: Container, visit: (value: number) => void): void {
  if (container.kind === "array") {
    for (let i = 0; i < container.size; i++) visit(container.values[i] as number);
    return;
  }
  for (let i = 0; i < BITMAP_WORDS; i++) {
    let word = container.words[i] as number;
    while (word !== 0) {
      visit(i * 32 + 31 - Math.clz32(word & -word));
      word &= word - 1;
    }
  }
}

/**
 * Writes every value, ascending, with `high` added, into `out` from `at` on; gives the place behind the last one. Without a call for
 * each value: a bitmap of millions is read in a third of the time.
 */
export function writeValues(container: Container, high: number, out: { [index: number]: number }, at: number): number {
  let next = at;
  if (container.kind === "array") {
    const { values, size } = container;
    for (let i = 0; i < size; i++) out[next++] = high + (values[i] as number);
    return next;
  }
  const { words } = container;
  for (let i = 0; i < BITMAP_WORDS; i++) {
    const first = high + i * 32;
    for (let word = words[i] as number; word !== 0; word &= word - 1) {
      out[next++] = first + 31 - Math.clz32(word & -word);
    }
  }
  return next;
}

/** A container of the form that its size asks for. Takes the words over, or borrows them. */
export function fromWords(words: Uint32Array, isBorrowed = false): Container {
  const size = countBits(words, BITMAP_WORDS);
  const bitmap: Container = { kind: "bitmap", words, size, isBorrowed };
  if (size > MAX_ARRAY_SIZE) return bitmap;
  const values = new Uint16Array(Math.max(size, 4));
  writeValues(bitmap, 0, values, 0);
  return { kind: "array", values, size };
}

/** A container of ascending values, which are never written to: what is added goes into a copy. */
export function fromSorted(values: Uint16Array): Container {
  return { kind: "array", values, size: values.length };
}

/** The values 0 to `size` - 1. */
export function rangeContainer(size: number): Container {
  const words = new Uint32Array(BITMAP_WORDS).fill(0xffffffff, 0, size >>> 5);
  if ((size & 31) !== 0) words[size >>> 5] = (1 << (size & 31)) - 1;
  return fromWords(words);
}

/** Consecutive values as `[first, count - 1]` pairs, as the run form stores them. */
export function runsOf(container: Container): number[] {
  const runs: number[] = [];
  let next = -1;
  eachValue(container, (value) => {
    if (value === next) (runs[runs.length - 1] as number)++;
    else runs.push(value, 0);
    next = value + 1;
  });
  return runs;
}

/** @throws FrazilError kind `corrupt` for runs that overlap or leave the range. */
export function fromRuns(runs: Uint16Array): Container {
  const words = new Uint32Array(BITMAP_WORDS);
  let next = 0;
  for (let i = 0; i < runs.length; i += 2) {
    const first = runs[i] as number;
    const last = first + (runs[i + 1] as number);
    if (first < next || last > 0xffff) {
      throw new FrazilError("corrupt", "ROARING", `expected ascending runs of 16-bit values, found ${first}..${last}`);
    }
    setRange(words, first, last);
    next = last + 1;
  }
  return fromWords(words);
}

/** Sets the bits of `first` to `last`, a word at a time. */
function setRange(words: Uint32Array, first: number, last: number): void {
  const [from, to] = [first >>> 5, last >>> 5];
  const fromMask = -1 << (first & 31);
  const toMask = -1 >>> (31 - (last & 31));
  if (from === to) {
    words[from] = (words[from] as number) | (fromMask & toMask);
    return;
  }
  words[from] = (words[from] as number) | fromMask;
  words.fill(0xffffffff, from + 1, to);
  words[to] = (words[to] as number) | toMask;
}

function toWords(container: Container): Uint32Array {
  if (container.kind === "bitmap") return container.words.slice();
  const words = new Uint32Array(BITMAP_WORDS);
  for (let i = 0; i < container.size; i++) {
    const value = container.values[i] as number;
    words[value >>> 5] = (words[value >>> 5] as number) | (1 << (value & 31));
  }
  return words;
}

/** Index of the first value that is not below `value`. */
function lowerBound(container: Container & { kind: "array" }, value: number): number {
  let low = 0;
  let high = container.size;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((container.values[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function popCount(word: number): number {
  let count = word - ((word >>> 1) & 0x55555555);
  count = (count & 0x33333333) + ((count >>> 2) & 0x33333333);
  return Math.imul((count + (count >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/**
 * Bits in the first `end` words, a multiple of `COUNTED_AT_ONCE`. Each word is added bit by bit to counters of one, two and four
 * (carry-save adders), so that of eight words one has its bits counted.
 */
function countBits(words: Uint32Array, end: number): number {
  let count = 0;
  let ones = 0;
  let twos = 0;
  let fours = 0;
  for (let i = 0; i < end; i += COUNTED_AT_ONCE) {
    let next = words[i] as number;
    let odd = ones ^ next;
    const twosA = (ones & next) | (odd & (words[i + 1] as number));
    ones = odd ^ (words[i + 1] as number);
    next = words[i + 2] as number;
    odd = ones ^ next;
    const twosB = (ones & next) | (odd & (words[i + 3] as number));
    ones = odd ^ (words[i + 3] as number);
    odd = twos ^ twosA;
    const foursA = (twos & twosA) | (odd & twosB);
    twos = odd ^ twosB;
    next = words[i + 4] as number;
    odd = ones ^ next;
    const twosC = (ones & next) | (odd & (words[i + 5] as number));
    ones = odd ^ (words[i + 5] as number);
    next = words[i + 6] as number;
    odd = ones ^ next;
    const twosD = (ones & next) | (odd & (words[i + 7] as number));
    ones = odd ^ (words[i + 7] as number);
    odd = twos ^ twosC;
    const foursB = (twos & twosC) | (odd & twosD);
    twos = odd ^ twosD;
    odd = fours ^ foursA;
    count += popCount((fours & foursA) | (odd & foursB));
    fours = odd ^ foursB;
  }
  return 8 * count + 4 * popCount(fours) + 2 * popCount(twos) + popCount(ones);
}
