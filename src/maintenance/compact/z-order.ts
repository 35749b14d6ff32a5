import {
  type Column,
  type DataFile,
  decodeValue,
  fieldById,
  isPrimitive,
  isValid,
  type PrimitiveType,
  type Schema,
  type Value,
} from "../../../table-format/index.ts";
import { must } from "../../core/errors.ts";
import { KeyBytes, valueWriter } from "./key-bytes.ts";
import { columnOf, type WriteKey } from "./sort-keys.ts";

/** Bits of each column that go into a key: more tell apart what no file's range does. */
const BITS = 32;

/** What all values of a column begin with, in bits of their sortable form: bits that would tell nothing apart. */
export interface SharedBits {
  readonly fieldId: number;
  readonly count: number;
}

/**
 * The bits that a column's values in the files share, by the files' bounds; 0 where a file does not say. Without this the 44 leading
 * zeros of ids below a million would stand before the first bit that matters, and another column alone would decide the order.
 */
export function sharedBits(schema: Schema, fieldIds: readonly number[], files: readonly DataFile[]): SharedBits[] {
  return fieldIds.map((fieldId) => {
    const { type } = must(fieldById(schema, fieldId), `column ${fieldId}`);
    if (!isPrimitive(type)) return { fieldId, count: 0 };
    const bounds: Value[] = [];
    for (const file of files) {
      const [low, high] = [file.lowerBounds?.get(fieldId), file.upperBounds?.get(fieldId)];
      const nulls = file.nullValueCounts?.get(fieldId);
      if (low === undefined || high === undefined) {
        if (nulls !== undefined && nulls === file.recordCount) continue;
        return { fieldId, count: 0 };
      }
      bounds.push(decodeValue(type, low), decodeValue(type, high));
    }
    return { fieldId, count: sharedPrefix(type, bounds) };
  });
}

/** The parts of a batch's z-order keys: the bits of the columns' values by turns, nulls as the lowest value. */
export function zOrderKeys(shared: readonly SharedBits[], column: (fieldId: number) => Column): WriteKey[] {
  const terms = shared.map(({ fieldId, count }) => leadingBits(column(fieldId), count));
  const words = new Uint32Array(terms.length);
  return [
    (row, out) => {
      for (let k = 0; k < terms.length; k++) words[k] = (terms[k] as (row: number) => number)(row);
      interleave(words, out);
    },
  ];
}

function interleave(words: Uint32Array, out: KeyBytes): void {
  let byte = 0;
  let filled = 0;
  for (let bit = BITS - 1; bit >= 0; bit--) {
    for (let k = 0; k < words.length; k++) {
      byte = (byte << 1) | (((words[k] as number) >>> bit) & 1);
      if (++filled < 8) continue;
      out.byte(byte);
      byte = 0;
      filled = 0;
    }
  }
}

/** Reads 32 bits of a value's sortable form behind those that all values share. */
function leadingBits(column: Column, shared: number): (row: number) => number {
  const write = valueWriter(column);
  const out = new KeyBytes();
  const first = shared >> 3;
  const shift = shared & 7;
  return (row) => {
    if (column.type.kind === "unknown" || !isValid(column, row)) return 0;
    out.length = 0;
    write(row, out);
    let word = 0;
    for (let k = 0; k < 4; k++) word = (word << 8) | byteAt(out, first + k);
    if (shift > 0) word = (word << shift) | (byteAt(out, first + 4) >>> (8 - shift));
    return word >>> 0;
  };
}

function byteAt({ bytes, length }: KeyBytes, at: number): number {
  return at < length ? (bytes[at] as number) : 0;
}

function sharedPrefix(type: PrimitiveType, bounds: readonly Value[]): number {
  const column = columnOf(type, bounds);
  const write = valueWriter(column);
  const first = new KeyBytes();
  const other = new KeyBytes();
  if (bounds.length === 0) return 0;
  write(0, first);
  let shared = first.length * 8;
  for (let row = 1; row < bounds.length; row++) {
    other.length = 0;
    write(row, other);
    let bits = 0;
    for (let k = 0; bits < shared; k++) {
      const difference = byteAt(first, k) ^ byteAt(other, k);
      bits = k * 8 + (difference === 0 ? 8 : Math.clz32(difference) - 24);
      if (difference !== 0) break;
    }
    shared = Math.min(shared, bits);
  }
  return shared;
}
