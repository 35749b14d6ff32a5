import { plainCrc32 } from "./crc32.ts";

/** What was inflated, and where the compressed bytes ended. */
export interface Inflated {
  readonly bytes: Uint8Array;
  readonly end: number;
}

/** Codes of at most so many bits (RFC 1951, 3.2.1). */
const MAX_BITS = 15;
const END_OF_BLOCK = 256;
const LENGTH_BASE = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];
const LENGTH_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BASE = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  8193, 12289, 16385, 24577,
];
/** The order in which the lengths of the code for code lengths stand (RFC 1951, 3.2.7). */
const LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** Codes by the bits that follow in the stream: a symbol in the upper bits, its code's length in the lower four. */
interface CodeTable {
  readonly bits: number;
  readonly entries: Uint16Array;
}

/**
 * Decompresses DEFLATE (RFC 1951) at once, for where there is no zlib.
 * @throws RangeError when the input breaks the format, or the output would pass `maxBytes`
 */
export function inflate(input: Uint8Array, start: number, maxBytes: number): Inflated {
  const source = new BitSource(input, start);
  const sink = new InflatedSink(maxBytes, input.length);
  let isLast = false;
  while (!isLast) {
    isLast = source.take(1) === 1;
    const type = source.take(2);
    if (type === 0) copyStored(source, sink);
    else if (type === 1) inflateBlock(source, sink, ...fixedCodes());
    else if (type === 2) inflateBlock(source, sink, ...readCodes(source));
    else throw new RangeError("a DEFLATE block of type 3");
  }
  return { bytes: sink.finish(), end: source.byteEnd() };
}

/**
 * Decompresses gzip (RFC 1952), all members, checksums checked.
 * @throws RangeError as `inflate`
 */
export function gunzip(input: Uint8Array, maxBytes: number): Uint8Array {
  const members: Uint8Array[] = [];
  let total = 0;
  let at = 0;
  // What stands behind the last member and is none is padding.
  while (at === 0 || (input[at] === 0x1f && input[at + 1] === 0x8b)) {
    const { bytes, end } = inflate(input, gzipHeaderEnd(input, at), maxBytes - total);
    if (end + 8 > input.length) throw new RangeError("a gzip member without its trailer");
    const view = new DataView(input.buffer, input.byteOffset + end, 8);
    if (view.getUint32(0, true) !== plainCrc32(bytes) || view.getUint32(4, true) !== bytes.length % 2 ** 32) {
      throw new RangeError("a gzip member of another checksum or size");
    }
    members.push(bytes);
    total += bytes.length;
    at = end + 8;
  }
  return members.length === 1 ? (members[0] as Uint8Array) : joined(members, total);
}

function gzipHeaderEnd(input: Uint8Array, start: number): number {
  if (input[start] !== 0x1f || input[start + 1] !== 0x8b || input[start + 2] !== 8)
    throw new RangeError("no gzip header");
  const flags = input[start + 3] ?? 0;
  let at = start + 10;
  if ((flags & 4) !== 0) at += 2 + (input[at] ?? 0) + (input[at + 1] ?? 0) * 256;
  for (const flag of [8, 16]) {
    if ((flags & flag) === 0) continue;
    const end = input.indexOf(0, at);
    if (end < 0) throw new RangeError("a gzip header without an end");
    at = end + 1;
  }
  return (flags & 2) === 0 ? at : at + 2;
}

/** One array of all parts. */
export function joined(parts: readonly Uint8Array[], total: number): Uint8Array {
  const out = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Bits of a byte stream, least significant first. */
class BitSource {
  readonly #input: Uint8Array;
  #at: number;
  #held = 0;
  #count = 0;

  constructor(input: Uint8Array, start: number) {
    this.#input = input;
    this.#at = start;
  }

  /** The next `count` bits, at most 15, as a number. */
  take(count: number): number {
    this.#fill(count);
    if (this.#count < count) throw new RangeError("compressed bytes that end early");
    const value = this.#held & ((1 << count) - 1);
    this.#drop(count);
    return value;
  }

  symbol({ bits, entries }: CodeTable): number {
    this.#fill(bits);
    const entry = entries[this.#held & ((1 << bits) - 1)] as number;
    const length = entry & 15;
    if (length === 0 || length > this.#count) throw new RangeError("a code that is not in its table");
    this.#drop(length);
    return entry >> 4;
  }

  /** The bytes of a stored block, which begin at a byte's start. */
  stored(): Uint8Array {
    const at = this.byteEnd();
    const end = at + 4 + (this.#input[at] ?? 0) + (this.#input[at + 1] ?? 0) * 256;
    const isMirrored = [0, 1].every((k) => (this.#input[at + k] ?? 0) + (this.#input[at + 2 + k] ?? 0) === 255);
    if (end > this.#input.length || !isMirrored) throw new RangeError("a stored block of another length");
    this.#at = end;
    this.#held = this.#count = 0;
    return this.#input.subarray(at + 4, end);
  }

  /** Where the next whole byte begins. */
  byteEnd(): number {
    return this.#at - (this.#count >> 3);
  }

  #fill(count: number): void {
    while (this.#count < count && this.#at < this.#input.length) {
      this.#held |= (this.#input[this.#at++] as number) << this.#count;
      this.#count += 8;
    }
  }

  #drop(count: number): void {
    this.#held >>>= count;
    this.#count -= count;
  }
}

/** Collects at most `maxBytes`. */
class InflatedSink {
  readonly #maxBytes: number;
  #bytes: Uint8Array;
  #length = 0;

  constructor(maxBytes: number, inputBytes: number) {
    this.#maxBytes = maxBytes;
    this.#bytes = new Uint8Array(Math.min(maxBytes, Math.max(1024, inputBytes * 4)));
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  bytes(values: Uint8Array): void {
    this.#reserve(values.length);
    this.#bytes.set(values, this.#length);
    this.#length += values.length;
  }

  /** Repeats what was put `distance` bytes ago; it may overlap itself. */
  repeat(distance: number, length: number): void {
    if (distance > this.#length) throw new RangeError("a distance from before the start");
    this.#reserve(length);
    const bytes = this.#bytes;
    let to = this.#length;
    for (const end = to + length; to < end; to++) bytes[to] = bytes[to - distance] as number;
    this.#length = to;
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(size: number): void {
    const needed = this.#length + size;
    if (needed <= this.#bytes.length) return;
    if (needed > this.#maxBytes) throw new RangeError(`more than ${this.#maxBytes} bytes`);
    const grown = new Uint8Array(Math.min(this.#maxBytes, Math.max(needed, this.#bytes.length * 2)));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

function copyStored(source: BitSource, sink: InflatedSink): void {
  sink.bytes(source.stored());
}

function inflateBlock(source: BitSource, sink: InflatedSink, literals: CodeTable, distances: CodeTable): void {
  for (;;) {
    const symbol = source.symbol(literals);
    if (symbol < END_OF_BLOCK) {
      sink.byte(symbol);
    } else if (symbol === END_OF_BLOCK) {
      return;
    } else {
      const base = LENGTH_BASE[symbol - 257];
      if (base === undefined) throw new RangeError(`a length symbol ${symbol}`);
      const length = base + source.take(LENGTH_EXTRA[symbol - 257] as number);
      const place = source.symbol(distances);
      const distance = DISTANCE_BASE[place];
      if (distance === undefined) throw new RangeError(`a distance symbol ${place}`);
      sink.repeat(distance + source.take(place < 4 ? 0 : (place >> 1) - 1), length);
    }
  }
}

let fixed: [CodeTable, CodeTable] | null = null;

/** The codes that need not be said (RFC 1951, 3.2.6). */
function fixedCodes(): [CodeTable, CodeTable] {
  fixed ??= [
    codeTable(Array.from({ length: 288 }, (_, k) => (k < 144 ? 8 : k < 256 ? 9 : k < 280 ? 7 : 8))),
    codeTable(new Array<number>(30).fill(5)),
  ];
  return fixed;
}

function readCodes(source: BitSource): [CodeTable, CodeTable] {
  const literals = source.take(5) + 257;
  const distances = source.take(5) + 1;
  const given = source.take(4) + 4;
  const lengthLengths = new Array<number>(19).fill(0);
  for (let k = 0; k < given; k++) lengthLengths[LENGTH_ORDER[k] as number] = source.take(3);
  const table = codeTable(lengthLengths);
  const lengths: number[] = [];
  while (lengths.length < literals + distances) {
    const symbol = source.symbol(table);
    if (symbol < 16) {
      lengths.push(symbol);
      continue;
    }
    const repeated = symbol === 16 ? lengths.at(-1) : 0;
    if (repeated === undefined) throw new RangeError("a repeated length before the first");
    const times = symbol === 16 ? 3 + source.take(2) : symbol === 17 ? 3 + source.take(3) : 11 + source.take(7);
    for (let k = 0; k < times; k++) lengths.push(repeated);
  }
  if (lengths.length > literals + distances) throw new RangeError("more code lengths than announced");
  return [codeTable(lengths.slice(0, literals)), codeTable(lengths.slice(literals))];
}

/** The table of a canonical Huffman code (RFC 1951, 3.2.2). Codes may be missing; using one is an error. */
function codeTable(lengths: readonly number[]): CodeTable {
  const counts = new Array<number>(MAX_BITS + 1).fill(0);
  for (const length of lengths) if (length > 0) counts[length] = (counts[length] as number) + 1;
  const bits = Math.max(
    1,
    counts.findLastIndex((count) => count > 0),
  );
  const next: number[] = [];
  for (let length = 1, code = 0; length <= MAX_BITS; length++) {
    code = (code + (length === 1 ? 0 : (counts[length - 1] as number))) << 1;
    next[length] = code;
    if (code + (counts[length] as number) > 1 << length) throw new RangeError("more codes than fit");
  }
  const entries = new Uint16Array(1 << bits);
  for (const [symbol, length] of lengths.entries()) {
    if (length === 0) continue;
    const code = next[length] as number;
    next[length] = code + 1;
    for (let at = reversed(code, length); at < entries.length; at += 1 << length) entries[at] = (symbol << 4) | length;
  }
  return { bits, entries };
}

/** Codes stand with their first bit lowest. */
function reversed(code: number, length: number): number {
  let out = 0;
  for (let bit = 0; bit < length; bit++) out |= ((code >> bit) & 1) << (length - 1 - bit);
  return out;
}
