import { FrazilError } from "../errors.ts";
import { readVarint } from "./rle.ts";

/** Where a decoder stands in a page. */
export interface PageCursor {
  readonly bytes: Uint8Array;
  at: number;
}

/**
 * DELTA_BINARY_PACKED (Parquet format, "Encodings", 5): exactly `count` integers, wrapping in 64 bits.
 * @throws FrazilError kind `corrupt`, also when the page states another count
 */
export function readDeltaLongs(cursor: PageCursor, count: number): BigInt64Array {
  const { bytes } = cursor;
  const blockSize = readVarint(bytes, cursor, bytes.length);
  const miniblocks = readVarint(bytes, cursor, bytes.length);
  const total = readVarint(bytes, cursor, bytes.length);
  if (total !== count) throw corrupt(`${count} values`, String(total));
  const perMiniblock = blockSize / miniblocks;
  if (!Number.isSafeInteger(perMiniblock) || perMiniblock === 0 || perMiniblock % 8 !== 0) {
    throw corrupt("blocks of miniblocks of a multiple of 8 values", `${blockSize} in ${miniblocks}`);
  }
  const values = new BigInt64Array(count);
  let value = readZigZag(cursor);
  if (count > 0) values[0] = value;
  for (let seen = 1; seen < count;) {
    const least = readZigZag(cursor);
    const widths = take(cursor, miniblocks);
    for (let block = 0; block < miniblocks && seen < count; block++) {
      const width = widths[block] as number;
      if (width > 64) throw corrupt("at most 64 bits a value", String(width));
      // The last miniblock is padded in full by the format, and cut short by some writers.
      const wanted = Math.min(perMiniblock, count - seen);
      const here = cursor.at;
      if (here + Math.ceil((wanted * width) / 8) > bytes.length) throw corrupt("a miniblock", "the end of the page");
      for (let i = 0; i < wanted; i++) {
        value = BigInt.asIntN(64, value + least + bitsAt(bytes, here, i * width, width));
        values[seen++] = value;
      }
      cursor.at = Math.min(bytes.length, here + (perMiniblock * width) / 8);
    }
  }
  return values;
}

function bitsAt(bytes: Uint8Array, start: number, bit: number, width: number): bigint {
  let value = 0n;
  for (let read = 0; read < width;) {
    const offset = (bit + read) & 7;
    const taken = Math.min(8 - offset, width - read);
    const part = ((bytes[start + ((bit + read) >> 3)] as number) >> offset) & ((1 << taken) - 1);
    value |= BigInt(part) << BigInt(read);
    read += taken;
  }
  return value;
}

function readZigZag(cursor: PageCursor): bigint {
  let value = 0n;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const part = take(cursor, 1)[0] as number;
    value |= BigInt(part & 0x7f) << shift;
    if (part < 0x80) return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n));
  }
  throw corrupt("a number of at most 64 bits", "a longer one");
}

/** DELTA_LENGTH_BYTE_ARRAY (6): the lengths, then all bytes. */
export function readDeltaLengths(cursor: PageCursor, count: number): Uint8Array[] {
  return lengthsOf(cursor, count).map((length) => take(cursor, length));
}

/** DELTA_BYTE_ARRAY (7): what each value shares with the one before it, then the rest. */
export function readDeltaStrings(cursor: PageCursor, count: number, mostBytes: number): Uint8Array[] {
  const prefixes = lengthsOf(cursor, count);
  const suffixes = readDeltaLengths(cursor, count);
  let last: Uint8Array = new Uint8Array(0);
  let held = 0;
  return suffixes.map((suffix, i) => {
    const prefix = prefixes[i] as number;
    if (prefix > last.length) throw corrupt(`a prefix of at most ${last.length} bytes`, String(prefix));
    if (prefix > 0) {
      held += prefix + suffix.length;
      if (held > mostBytes) throw corrupt(`at most ${mostBytes} bytes of values`, String(held));
      const whole = new Uint8Array(prefix + suffix.length);
      whole.set(last.subarray(0, prefix));
      whole.set(suffix, prefix);
      last = whole;
    } else {
      last = suffix;
    }
    return last;
  });
}

function lengthsOf(cursor: PageCursor, count: number): number[] {
  return Array.from(readDeltaLongs(cursor, count), (length) => {
    if (length < 0n || length > BigInt(cursor.bytes.length)) throw corrupt("a length within the page", String(length));
    return Number(length);
  });
}

/** A view of the next bytes. */
export function take(cursor: PageCursor, length: number): Uint8Array {
  const end = cursor.at + length;
  if (end > cursor.bytes.length) throw corrupt(`${length} more bytes`, `the end at ${cursor.bytes.length}`);
  const taken = cursor.bytes.subarray(cursor.at, end);
  cursor.at = end;
  return taken;
}

function corrupt(expected: string, found: string): FrazilError {
  return new FrazilError("corrupt", "PARQUET_PAGE", `page: expected ${expected}, found ${found}`);
}
