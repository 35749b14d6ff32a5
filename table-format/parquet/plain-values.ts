import { type Column, isValid } from "../arrow/column.ts";
import type { PrimitiveType } from "../schema/types.ts";
import { unscaledAt } from "./bounds.ts";
import { type ColumnRange, rowsOf } from "./column-range.ts";
import { decimalWidth } from "./schema-elements.ts";

/** What hyparquet-writer takes: typed arrays where no row is null, else arrays with null. */
export type PlainValues = Int32Array | BigInt64Array | Float32Array | Float64Array | (PlainValue | null)[];

type PlainValue = boolean | number | bigint | Uint8Array;

/** The rows of a column chunk as the physical values that the file holds. */
export function plainValues(type: PrimitiveType, ranges: readonly ColumnRange[]): PlainValues {
  const layout = ranges[0]?.column.layout ?? "bits";
  switch (layout) {
    case "i32":
      return numbers(ranges, new Int32Array(rowsOf(ranges)));
    case "f32":
      return numbers(ranges, new Float32Array(rowsOf(ranges)));
    case "f64":
      return numbers(ranges, new Float64Array(rowsOf(ranges)));
    case "i64":
      return numbers(ranges, new BigInt64Array(rowsOf(ranges)));
    case "i128":
      return decimals(type, ranges);
    case "bits":
      return each(ranges, (column: Column & { layout: "bits" }, row) => {
        return ((column.values[row >> 3] as number) & (1 << (row & 7))) !== 0;
      });
    case "fixed":
      return each(ranges, (column: Column & { layout: "fixed" }, row) => {
        return column.values.subarray(row * column.width, (row + 1) * column.width);
      });
    case "bytes":
      return internedBytes(ranges);
  }
}

function each<C extends Column>(
  ranges: readonly ColumnRange[],
  valueOf: (column: C, row: number) => PlainValue,
): (PlainValue | null)[] {
  const out = new Array<PlainValue | null>(rowsOf(ranges));
  let at = 0;
  for (const { column, start, end } of ranges) {
    for (let row = start; row < end; row++) out[at++] = isValid(column, row) ? valueOf(column as C, row) : null;
  }
  return out;
}

function numbers<T extends Int32Array | Float32Array | Float64Array | BigInt64Array>(
  ranges: readonly ColumnRange[],
  out: T,
): T | (PlainValue | null)[] {
  if (ranges.some(({ column }) => column.nullCount > 0)) {
    return each(ranges, (column, row) => (column.values as T)[row] as number | bigint);
  }
  let at = 0;
  for (const { column, start, end } of ranges) {
    out.set((column.values as T).subarray(start, end) as never, at);
    at += end - start;
  }
  return out;
}

function decimals(type: PrimitiveType, ranges: readonly ColumnRange[]): PlainValues {
  const precision = type.kind === "decimal" ? type.precision : 38;
  if (precision <= 9) return each(ranges, (column, row) => Number((column.values as BigInt64Array)[row * 2]));
  if (precision <= 18) return lowWords(ranges);
  const width = decimalWidth(precision);
  return each(ranges, (column, row) => bigEndian(unscaledAt(column.values as BigInt64Array, row), width));
}

/** The low 64 bits, which hold decimals of up to 18 digits. */
function lowWords(ranges: readonly ColumnRange[]): PlainValues {
  if (ranges.some(({ column }) => column.nullCount > 0)) {
    return each(ranges, (column, row) => (column.values as BigInt64Array)[row * 2] as bigint);
  }
  const out = new Int32Array(rowsOf(ranges) * 2);
  let at = 0;
  for (const { column, start, end } of ranges) {
    const { buffer, byteOffset, length } = column.values as BigInt64Array;
    const words = new Int32Array(buffer, byteOffset, length * 2);
    for (let word = start * 4; word < end * 4; word += 4) {
      out[at++] = words[word] as number;
      out[at++] = words[word + 1] as number;
    }
  }
  return new BigInt64Array(out.buffer);
}

/** Two's complement in `width` bytes. */
function bigEndian(unscaled: bigint, width: number): Uint8Array {
  const bytes = new Uint8Array(width);
  let rest = unscaled;
  for (let at = width - 1; at >= 0; at--) {
    bytes[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

/** Slots of the table that finds equal values, at most: a power of two. */
const INTERN_SLOTS = 1 << 16;

/** After so many values the table is given up if fewer than one in eight was found in it. */
const INTERN_TRIAL = 4096;

/**
 * Views of the bytes, where equal values that lie near one another share one view: the writer's dictionary then finds them by
 * identity, and columns of few values make few objects. A slot keeps the last value that fell on it.
 */
function internedBytes(ranges: readonly ColumnRange[]): (Uint8Array | null)[] {
  const out = new Array<Uint8Array | null>(rowsOf(ranges));
  // Two slots a value: the small files of a checkpoint would else spend more on the table than on their values.
  const slotCount = Math.min(INTERN_SLOTS, 2 ** (33 - Math.clz32(out.length)));
  const slots = new Array<Uint8Array | undefined>(slotCount);
  let found = 0;
  let tried = 0;
  let at = 0;
  for (const { column, start, end } of ranges) {
    const { offsets, values } = column as Column & { layout: "bytes" };
    for (let row = start; row < end; row++) {
      if (!isValid(column, row)) {
        out[at++] = null;
        continue;
      }
      const from = offsets[row] as number;
      const to = offsets[row + 1] as number;
      if (tried >= INTERN_TRIAL && found * 8 < tried) {
        out[at++] = values.subarray(from, to);
        continue;
      }
      tried++;
      const slot = hashOf(values, from, to) & (slotCount - 1);
      const known = slots[slot];
      if (known !== undefined && isEqual(known, values, from, to)) {
        out[at++] = known;
        found++;
      } else {
        out[at++] = slots[slot] = values.subarray(from, to);
      }
    }
  }
  return out;
}

/** Of long values the first and last bytes are enough: a slot is checked anyway. */
function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = to - from;
  const head = Math.min(to, from + 16);
  for (let k = from; k < head; k++) hash = Math.imul(hash ^ (bytes[k] as number), 0x01000193);
  for (let k = Math.max(head, to - 8); k < to; k++) hash = Math.imul(hash ^ (bytes[k] as number), 0x01000193);
  return hash ^ (hash >>> 15);
}

function isEqual(known: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (known.length !== to - from) return false;
  for (let k = 0; k < known.length; k++) if (known[k] !== bytes[from + k]) return false;
  return true;
}
