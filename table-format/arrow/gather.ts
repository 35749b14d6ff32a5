import { FrazilError } from "../errors.ts";
import type { PrimitiveType } from "../schema/types.ts";
import { nullColumn, widthOf } from "./builder.ts";
import { type Column, isValid, layoutOf } from "./column.ts";
import { widenColumn } from "./widen.ts";

/** For each row of a result the number of its source. */
export type SourceNumbers = Uint32Array | Uint16Array;

const MAX_COLUMN_BYTES = 0x7fff_ffff;

/**
 * A column made of picked rows: row i of the result is row `rows[i]` of `sources[sourceOf[i]]`; a source that is null gives null.
 * Sources of a narrower type are widened (`widenColumn`). The result shares no memory with the sources.
 *
 * @throws FrazilError `data` when strings or bytes of the result would pass 2 GiB.
 */
export function gatherColumn(
  type: PrimitiveType,
  sources: readonly (Column | null)[],
  sourceOf: SourceNumbers,
  rows: Uint32Array,
): Column {
  const length = rows.length;
  const columns = sources.map((source) => (source === null ? null : widenColumn(source, type)));
  if (columns.every((column) => column === null)) return nullColumn(type, length);
  const { validity, nullCount } = gatherValidity(columns, sourceOf, rows);
  const base = { type, length, nullCount, validity };
  const layout = layoutOf(type);
  switch (layout) {
    case "bits":
      return { ...base, layout, values: gatherBits(columns, sourceOf, rows) };
    case "i32":
      return { ...base, layout, values: gatherNumbers(columns, sourceOf, rows, new Int32Array(length), EMPTY_I32) };
    case "f32":
      return { ...base, layout, values: gatherNumbers(columns, sourceOf, rows, new Float32Array(length), EMPTY_F32) };
    case "f64":
      return { ...base, layout, values: gatherNumbers(columns, sourceOf, rows, new Float64Array(length), EMPTY_F64) };
    case "i64": {
      const words = gatherWords(columns, sourceOf, rows, 2);
      return { ...base, layout, values: new BigInt64Array(words.buffer) };
    }
    case "i128": {
      const words = gatherWords(columns, sourceOf, rows, 4);
      return { ...base, layout, values: new BigInt64Array(words.buffer) };
    }
    case "bytes":
      return { ...base, layout, ...gatherBytes(columns, sourceOf, rows) };
    case "fixed": {
      const width = widthOf(type);
      return { ...base, layout, width, values: gatherFixed(columns, sourceOf, rows, width) };
    }
  }
}

type Sources = readonly (Column | null)[];

const EMPTY_I32 = new Int32Array(0);
const EMPTY_F32 = new Float32Array(0);
const EMPTY_F64 = new Float64Array(0);
const EMPTY_U8 = new Uint8Array(0);

function gatherValidity(
  columns: Sources,
  sourceOf: SourceNumbers,
  rows: Uint32Array,
): { validity: Uint8Array | null; nullCount: number } {
  if (columns.every((column) => column !== null && column.nullCount === 0)) return { validity: null, nullCount: 0 };
  const validity = new Uint8Array((rows.length + 7) >> 3);
  let nullCount = 0;
  for (let i = 0; i < rows.length; i++) {
    const column = columns[sourceOf[i] as number] as Column | null;
    if (column !== null && isValid(column, rows[i] as number)) {
      validity[i >> 3] = (validity[i >> 3] as number) | (1 << (i & 7));
    } else {
      nullCount++;
    }
  }
  return nullCount === 0 ? { validity: null, nullCount } : { validity, nullCount };
}

function gatherBits(columns: Sources, sourceOf: SourceNumbers, rows: Uint32Array): Uint8Array {
  const out = new Uint8Array((rows.length + 7) >> 3);
  for (let i = 0; i < rows.length; i++) {
    const column = columns[sourceOf[i] as number] as Column | null;
    if (column === null) continue;
    const row = rows[i] as number;
    if ((((column.values as Uint8Array)[row >> 3] as number) & (1 << (row & 7))) !== 0) {
      out[i >> 3] = (out[i >> 3] as number) | (1 << (i & 7));
    }
  }
  return out;
}

function gatherNumbers<T extends Int32Array | Float32Array | Float64Array>(
  columns: Sources,
  sourceOf: SourceNumbers,
  rows: Uint32Array,
  out: T,
  empty: T,
): T {
  const values = columns.map((column) => (column === null ? empty : (column.values as T)));
  for (let i = 0; i < rows.length; i++) {
    // A null source stands as an empty array, which gives undefined.
    const value = (values[sourceOf[i] as number] as T)[rows[i] as number];
    out[i] = value ?? 0;
  }
  return out;
}

/** Values of `wordsPerRow` words of 32 bits, so that no bigint is made on the way. */
function gatherWords(
  columns: Sources,
  sourceOf: SourceNumbers,
  rows: Uint32Array,
  wordsPerRow: 2 | 4,
): Int32Array<ArrayBuffer> {
  const out = new Int32Array(rows.length * wordsPerRow);
  const values = columns.map((column) => (column === null ? EMPTY_I32 : wordsOf(column.values as BigInt64Array)));
  for (let i = 0; i < rows.length; i++) {
    const words = values[sourceOf[i] as number] as Int32Array;
    if (words.length === 0) continue;
    const from = (rows[i] as number) * wordsPerRow;
    const to = i * wordsPerRow;
    for (let k = 0; k < wordsPerRow; k++) out[to + k] = words[from + k] as number;
  }
  return out;
}

function wordsOf(values: BigInt64Array): Int32Array {
  return new Int32Array(values.buffer, values.byteOffset, values.length * 2);
}

function gatherBytes(
  columns: Sources,
  sourceOf: SourceNumbers,
  rows: Uint32Array,
): { offsets: Int32Array; values: Uint8Array } {
  const starts = columns.map((column) => (column?.layout === "bytes" ? column.offsets : EMPTY_I32));
  const bytes = columns.map((column) => (column === null ? EMPTY_U8 : (column.values as Uint8Array)));
  const offsets = new Int32Array(rows.length + 1);
  let total = 0;
  for (let i = 0; i < rows.length; i++) {
    const from = starts[sourceOf[i] as number] as Int32Array;
    const row = rows[i] as number;
    if (from.length !== 0) total += (from[row + 1] as number) - (from[row] as number);
    if (total > MAX_COLUMN_BYTES) {
      throw new FrazilError(
        "data",
        "COLUMN_TOO_LARGE",
        `a column of one batch holds at most ${MAX_COLUMN_BYTES} bytes, found ${total}`,
        { hint: "lower checkpoint.max_size" },
      );
    }
    offsets[i + 1] = total;
  }
  const values = new Uint8Array(total);
  for (let i = 0; i < rows.length; i++) {
    const source = sourceOf[i] as number;
    const to = offsets[i] as number;
    const size = (offsets[i + 1] as number) - to;
    if (size === 0) continue;
    copyBytes(
      bytes[source] as Uint8Array,
      (starts[source] as Int32Array)[rows[i] as number] as number,
      values,
      to,
      size,
    );
  }
  return { offsets, values };
}

function gatherFixed(columns: Sources, sourceOf: SourceNumbers, rows: Uint32Array, width: number): Uint8Array {
  const out = new Uint8Array(rows.length * width);
  const values = columns.map((column) => (column === null ? EMPTY_U8 : (column.values as Uint8Array)));
  for (let i = 0; i < rows.length; i++) {
    const source = values[sourceOf[i] as number] as Uint8Array;
    if (source.length !== 0) copyBytes(source, (rows[i] as number) * width, out, i * width, width);
  }
  return out;
}

function copyBytes(source: Uint8Array, from: number, target: Uint8Array, to: number, size: number): void {
  if (size > 40) {
    target.set(source.subarray(from, from + size), to);
    return;
  }
  for (let k = 0; k < size; k++) target[to + k] = source[from + k] as number;
}
