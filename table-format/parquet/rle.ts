import { FrazilError } from "../errors.ts";

/**
 * Reads `count` numbers in Parquet's run-length and bit-packed hybrid (Parquet format, "Encodings", RLE = 3). Runs past `count` are cut,
 * runs past `end` are an error: a short page can neither demand more memory than `count` numbers nor more time.
 *
 * @param bitWidth bits a number has, 0 to 32; with 0 all numbers are 0 and nothing is read
 * @throws FrazilError kind `corrupt`
 */
export function readHybrid(bytes: Uint8Array, start: number, end: number, bitWidth: number, count: number): Int32Array {
  if (bitWidth > 32) throw corrupt("at most 32 bits a number", String(bitWidth));
  const values = new Int32Array(count);
  if (bitWidth === 0) return values;
  const width = (bitWidth + 7) >> 3;
  const run = { at: start };
  let seen = 0;
  while (seen < count) {
    const header = readVarint(bytes, run, end);
    if ((header & 1) === 1) {
      const groups = header >>> 1;
      if (groups === 0) continue;
      seen = readPacked(bytes, run, end, bitWidth, Math.min(groups * 8, count - seen), values, seen);
      run.at += groups * bitWidth;
      continue;
    }
    const length = Math.min(header >>> 1, count - seen);
    if (run.at + width > end) throw corrupt("a run's value", "the end of the page");
    let value = 0;
    for (let i = 0; i < width; i++) value |= (bytes[run.at + i] as number) << (i * 8);
    run.at += width;
    values.fill(value, seen, seen + length);
    seen += length;
  }
  return values;
}

/** Bit-packed numbers, least significant bit first; moves nothing but `seen`, whose new value it gives. */
function readPacked(
  bytes: Uint8Array,
  run: { readonly at: number },
  end: number,
  bitWidth: number,
  count: number,
  values: Int32Array,
  seen: number,
): number {
  // The last group may be cut short: only bits that a number needs must be there.
  if (run.at + Math.ceil((count * bitWidth) / 8) > end) throw corrupt("bit-packed numbers", "the end of the page");
  let bits = 0;
  let held = 0;
  let at = run.at;
  if (bitWidth <= 24) {
    const mask = (1 << bitWidth) - 1;
    for (let i = 0; i < count; i++) {
      while (held < bitWidth) {
        bits |= (bytes[at++] as number) << held;
        held += 8;
      }
      values[seen + i] = bits & mask;
      bits >>>= bitWidth;
      held -= bitWidth;
    }
    return seen + count;
  }
  for (let i = 0; i < count; i++) {
    // Up to 39 bits are held: arithmetic on doubles, since shifts end at 32.
    while (held < bitWidth) {
      bits += (bytes[at++] as number) * 2 ** held;
      held += 8;
    }
    const rest = Math.floor(bits / 2 ** bitWidth);
    values[seen + i] = (bits - rest * 2 ** bitWidth) | 0;
    bits = rest;
    held -= bitWidth;
  }
  return seen + count;
}

/** An unsigned LEB128 number of at most 32 bits. */
export function readVarint(bytes: Uint8Array, cursor: { at: number }, end: number): number {
  let value = 0;
  for (let shift = 0; shift < 35; shift += 7) {
    if (cursor.at >= end) throw corrupt("a number", "the end of the page");
    const part = bytes[cursor.at++] as number;
    value += (part & 0x7f) * 2 ** shift;
    if (part < 0x80) {
      if (value > 0xffffffff) break;
      return value;
    }
  }
  throw corrupt("a number of at most 32 bits", "a longer one");
}

function corrupt(expected: string, found: string): FrazilError {
  return new FrazilError("corrupt", "PARQUET_PAGE", `page: expected ${expected}, found ${found}`);
}
