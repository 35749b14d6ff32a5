import { type Column, isValid, layoutOf, type PrimitiveType, widenColumn } from "../../../table-format/index.ts";
import { Op } from "../../core/change-batch.ts";
import { FrazilError, must } from "../../core/errors.ts";
import { murmur128 } from "./murmur128.ts";

/** Words of 32 bits that stand for one key. */
export const KEY_WORDS = 4;

/**
 * The keys of a batch as 128 bits each (`KEY_WORDS` words a row). A single column of whole numbers, dates or times is exact; anything else is
 * a 128-bit fingerprint of the values: 64 bits would confuse two keys of a table of a billion rows once in a while, and delete a wrong row.
 * Values are first widened to the table's types, so that a key is the same whatever the source sent it as.
 *
 * @param columns the key columns, in the key's order. @param ops the changes' ops: a truncate has no key. @param seed of the fingerprints, the same for all keys that are compared.
 * @throws FrazilError `data` for a null in a key column.
 */
export function keyWords(
  columns: readonly Column[],
  types: readonly PrimitiveType[],
  names: readonly string[],
  length: number,
  ops: Uint8Array | null,
  seed: number,
): Uint32Array {
  const widened = columns.map((column, index) => widenColumn(column, must(types[index], "one type a column")));
  for (const [index, column] of widened.entries()) refuseNulls(column, names[index] ?? "", ops);
  const [first] = widened;
  if (widened.length === 1 && first !== undefined) {
    if (first.layout === "i64") return exactLongs(first.values, length);
    if (first.layout === "i32") return exactInts(first.values, length);
  }
  return fingerprints(widened, length, seed);
}

/** Whether keys of these types are exact, and their last two words zero. */
export function areExact(types: readonly PrimitiveType[]): boolean {
  const [first] = types;
  return types.length === 1 && first !== undefined && ["i32", "i64"].includes(layoutOf(first));
}

/**
 * Tells apart key columns whose keys cannot be compared: other columns, or a date that became a timestamp. Other widenings keep the words
 * of a key. Begins with a version of the way in which keys are made.
 */
export function keySignature(fields: readonly { readonly id: number; readonly type: PrimitiveType }[]): string {
  const parts = fields.map(({ id, type }) => {
    const layout = layoutOf(type);
    return `${id}:${type.kind === "date" ? "date" : layout === "i32" ? "i64" : layout}`;
  });
  return `1 ${parts.join(" ")}`;
}

function refuseNulls(column: Column, name: string, ops: Uint8Array | null): void {
  if (column.nullCount === 0) return;
  let row = 0;
  while (row < column.length && (isValid(column, row) || ops?.[row] === Op.truncate)) row++;
  if (row === column.length) return;
  throw new FrazilError(
    "data",
    "KEY_NULL",
    `key column ${name} must have a value in every change; row ${row} has none`,
    {
      hint: "choose key columns that are never null, or mode: append",
    },
  );
}

function exactLongs(values: BigInt64Array, length: number): Uint32Array {
  const halves = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
  const words = new Uint32Array(length * KEY_WORDS);
  for (let row = 0; row < length; row++) {
    words[row * KEY_WORDS] = halves[row * 2] as number;
    words[row * KEY_WORDS + 1] = halves[row * 2 + 1] as number;
  }
  return words;
}

function exactInts(values: Int32Array, length: number): Uint32Array {
  const words = new Uint32Array(length * KEY_WORDS);
  for (let row = 0; row < length; row++) {
    const value = values[row] as number;
    words[row * KEY_WORDS] = value >>> 0;
    words[row * KEY_WORDS + 1] = value < 0 ? 0xffffffff : 0;
  }
  return words;
}

function fingerprints(columns: readonly Column[], length: number, seed: number): Uint32Array {
  const words = new Uint32Array(length * KEY_WORDS);
  let scratch = new Uint8Array(256);
  let view = new DataView(scratch.buffer);
  for (let row = 0; row < length; row++) {
    const size = columns.reduce((sum, column) => sum + encodedSize(column, row), 0);
    if (size > scratch.length) {
      scratch = new Uint8Array(size * 2);
      view = new DataView(scratch.buffer);
    }
    let end = 0;
    for (const column of columns) end = encode(column, row, scratch, view, end);
    murmur128(scratch, end, seed, words, row * KEY_WORDS);
  }
  return words;
}

/** Bytes that `encode` writes: numbers in a fixed width whatever their type's, strings and bytes behind their length. */
function encodedSize(column: Column, row: number): number {
  switch (column.layout) {
    case "bits":
      return 1;
    case "i32":
    case "i64":
      return 8;
    case "i128":
      return 16;
    case "bytes":
      return 4 + (column.offsets[row + 1] as number) - (column.offsets[row] as number);
    case "fixed":
      return column.width;
    default:
      throw new FrazilError("config", "KEY_TYPE", `a column of type ${column.type.kind} cannot be part of a key`, {
        hint: "use whole numbers, decimals, strings, dates, times, uuid or binary columns as key",
      });
  }
}

function encode(column: Column, row: number, into: Uint8Array, view: DataView, at: number): number {
  switch (column.layout) {
    case "bits":
      into[at] = ((column.values[row >> 3] as number) >> (row & 7)) & 1;
      return at + 1;
    case "i32":
      view.setBigInt64(at, BigInt(column.values[row] as number), true);
      return at + 8;
    case "i64":
      view.setBigInt64(at, column.values[row] as bigint, true);
      return at + 8;
    case "i128":
      view.setBigInt64(at, column.values[row * 2] as bigint, true);
      view.setBigInt64(at + 8, column.values[row * 2 + 1] as bigint, true);
      return at + 16;
    case "bytes": {
      const start = column.offsets[row] as number;
      const size = (column.offsets[row + 1] as number) - start;
      view.setUint32(at, size, true);
      into.set(column.values.subarray(start, start + size), at + 4);
      return at + 4 + size;
    }
    case "fixed":
      into.set(column.values.subarray(row * column.width, (row + 1) * column.width), at);
      return at + column.width;
    default:
      return at;
  }
}
