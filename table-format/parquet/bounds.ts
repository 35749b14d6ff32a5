import { type Column, isValid } from "../arrow/column.ts";
import { must } from "../errors.ts";
import type { Value } from "../manifest/data-file.ts";
import { compareBytes } from "../values/single-value.ts";
import type { ColumnRange } from "./column-range.ts";

/** What a column chunk or a whole file says of one column. `min` and `max` are exact; null when no value is comparable. */
export interface ColumnStatistics {
  readonly rows: number;
  readonly nulls: number;
  /** Of float and double; 0 elsewhere. */
  readonly nans: number;
  /** Numbers, booleans, bigints (decimals unscaled) or bytes; of strings the UTF-8. Zeros of floats as min −0.0, as max +0.0. */
  readonly min: Value | null;
  readonly max: Value | null;
}

/** Statistics of the rows; nulls and NaN are in no bound. */
export function measure(ranges: readonly ColumnRange[]): ColumnStatistics {
  let all: ColumnStatistics = { rows: 0, nulls: 0, nans: 0, min: null, max: null };
  for (const range of ranges) all = combine(all, measureRange(range));
  return all;
}

/** Statistics of both together. */
export function combine(a: ColumnStatistics, b: ColumnStatistics): ColumnStatistics {
  return {
    rows: a.rows + b.rows,
    nulls: a.nulls + b.nulls,
    nans: a.nans + b.nans,
    min: a.min === null ? b.min : b.min === null || order(a.min, b.min) <= 0 ? a.min : b.min,
    max: a.max === null ? b.max : b.max === null || order(a.max, b.max) >= 0 ? a.max : b.max,
  };
}

function order(a: Value, b: Value): number {
  if (a instanceof Uint8Array) return compareBytes(a, b as Uint8Array);
  return a < b ? -1 : a > b ? 1 : 0;
}

function measureRange(range: ColumnRange): ColumnStatistics {
  const { column, start, end } = range;
  const rows = end - start;
  const nulls = column.nullCount === 0 ? 0 : countNulls(range);
  if (nulls === rows) return { rows, nulls, nans: 0, min: null, max: null };
  // Loops over typed arrays skip the bitmap where there are no nulls.
  const validity = nulls === 0 ? null : column.validity;
  const counts = { rows, nulls, nans: 0 };
  switch (column.layout) {
    case "bits":
      return { ...counts, ...boundsOfBits(column, range) };
    case "i32":
      return { ...counts, ...boundsOfNumbers(column.values, validity, start, end) };
    case "f32":
    case "f64": {
      const nans = countNans(column.values, validity, start, end);
      const { min, max } = boundsOfNumbers(column.values, validity, start, end);
      if (nans === rows - nulls) return { ...counts, nans, min: null, max: null };
      return { ...counts, nans, min: min === 0 ? -0 : min, max: max === 0 ? 0 : max };
    }
    case "i64": {
      const [low, high] = rowsOfBounds(wordsOf(column.values), 2, validity, start, end);
      return {
        ...counts,
        min: must(column.values[low], "row in range"),
        max: must(column.values[high], "row in range"),
      };
    }
    case "i128": {
      const [low, high] = rowsOfBounds(wordsOf(column.values), 4, validity, start, end);
      return { ...counts, min: unscaledAt(column.values, low), max: unscaledAt(column.values, high) };
    }
    case "bytes": {
      const { offsets, values } = column;
      return { ...counts, ...boundsOfBytes(values, validity, start, end, offsets, 0) };
    }
    case "fixed":
      return { ...counts, ...boundsOfBytes(column.values, validity, start, end, null, column.width) };
  }
}

/** The unscaled value of a decimal. */
export function unscaledAt(values: BigInt64Array, row: number): bigint {
  const low = BigInt.asUintN(64, values[row * 2] as bigint);
  return ((values[row * 2 + 1] as bigint) << 64n) | low;
}

function countNulls({ column, start, end }: ColumnRange): number {
  if (start === 0 && end === column.length) return column.nullCount;
  let nulls = 0;
  for (let row = start; row < end; row++) if (!isValid(column, row)) nulls++;
  return nulls;
}

function boundsOfBits(
  column: Column & { layout: "bits" },
  { start, end }: ColumnRange,
): { min: boolean; max: boolean } {
  let min = true;
  let max = false;
  for (let row = start; row < end && (min || !max); row++) {
    if (!isValid(column, row)) continue;
    if (((column.values[row >> 3] as number) & (1 << (row & 7))) !== 0) max = true;
    else min = false;
  }
  return { min, max };
}

type Numbers = Int32Array | Float32Array | Float64Array;

function countNans(values: Numbers, validity: Uint8Array | null, start: number, end: number): number {
  let nans = 0;
  for (let row = start; row < end; row++) {
    const value = values[row] as number;
    if (value !== value && (validity === null || isSet(validity, row))) nans++;
  }
  return nans;
}

/** NaN compares false and so is passed over. */
function boundsOfNumbers(
  values: Numbers,
  validity: Uint8Array | null,
  start: number,
  end: number,
): { min: number; max: number } {
  let min = Infinity;
  let max = -Infinity;
  for (let row = start; row < end; row++) {
    if (validity !== null && !isSet(validity, row)) continue;
    const value = values[row] as number;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { min, max };
}

/** The rows of the least and the greatest integer of `width` words, compared without making bigints. At least one row is valid. */
function rowsOfBounds(
  words: Int32Array,
  width: 2 | 4,
  validity: Uint8Array | null,
  start: number,
  end: number,
): [number, number] {
  let least = -1;
  let greatest = -1;
  for (let row = start; row < end; row++) {
    if (validity !== null && !isSet(validity, row)) continue;
    if (least < 0) least = greatest = row;
    else if (isLess(words, width, row, least)) least = row;
    else if (isLess(words, width, greatest, row)) greatest = row;
  }
  return [least, greatest];
}

function isLess(words: Int32Array, width: 2 | 4, a: number, b: number): boolean {
  const topA = words[a * width + width - 1] as number;
  const topB = words[b * width + width - 1] as number;
  if (topA !== topB) return topA < topB;
  for (let word = width - 2; word >= 0; word--) {
    const wordA = (words[a * width + word] as number) >>> 0;
    const wordB = (words[b * width + word] as number) >>> 0;
    if (wordA !== wordB) return wordA < wordB;
  }
  return false;
}

/** Values lie between `offsets`, or are `width` bytes each. The bounds are copies. At least one row is valid. */
function boundsOfBytes(
  values: Uint8Array,
  validity: Uint8Array | null,
  start: number,
  end: number,
  offsets: Int32Array | null,
  width: number,
): { min: Uint8Array; max: Uint8Array } {
  let minStart = -1;
  let minEnd = -1;
  let maxStart = -1;
  let maxEnd = -1;
  for (let row = start; row < end; row++) {
    if (validity !== null && !isSet(validity, row)) continue;
    const from = offsets === null ? row * width : (offsets[row] as number);
    const to = offsets === null ? from + width : (offsets[row + 1] as number);
    if (minStart < 0) {
      minStart = maxStart = from;
      minEnd = maxEnd = to;
    } else if (compareSlices(values, from, to, minStart, minEnd) < 0) {
      minStart = from;
      minEnd = to;
    } else if (compareSlices(values, from, to, maxStart, maxEnd) > 0) {
      maxStart = from;
      maxEnd = to;
    }
  }
  return { min: values.slice(minStart, minEnd), max: values.slice(maxStart, maxEnd) };
}

function compareSlices(bytes: Uint8Array, a: number, aEnd: number, b: number, bEnd: number): number {
  const common = Math.min(aEnd - a, bEnd - b);
  for (let k = 0; k < common; k++) {
    const difference = (bytes[a + k] as number) - (bytes[b + k] as number);
    if (difference !== 0) return difference;
  }
  return aEnd - a - (bEnd - b);
}

function isSet(bitmap: Uint8Array, row: number): boolean {
  return ((bitmap[row >> 3] as number) & (1 << (row & 7))) !== 0;
}

function wordsOf(values: BigInt64Array): Int32Array {
  return new Int32Array(values.buffer, values.byteOffset, values.length * 2);
}
