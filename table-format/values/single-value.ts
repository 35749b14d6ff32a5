import type { Column } from "../arrow/column.ts";
import { isValid } from "../arrow/column.ts";
import { FrazilError, must } from "../errors.ts";
import type { Value } from "../manifest/data-file.ts";
import { typeText } from "../schema/type-json.ts";
import type { PrimitiveType } from "../schema/types.ts";
import { hexOf } from "./hex.ts";

const MICROS_PER_DAY = 86_400_000_000n;
const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Binary single-value form (spec, appendix D), as bounds and partition summaries hold it.
 * Values: boolean; number for int, date, float, double; bigint for long, time, timestamps (µs or ns) and decimals (unscaled);
 * string; bytes for uuid, fixed, binary, and for geometry and geography, whose bounds have another form: points.
 */
export function encodeValue(type: PrimitiveType, value: Value): Uint8Array {
  switch (type.kind) {
    case "boolean":
      return Uint8Array.of(value === true ? 1 : 0);
    case "int":
    case "date":
      return bytesOf(4, (view) => view.setInt32(0, value as number, true));
    case "long":
    case "time":
    case "timestamp":
    case "timestamptz":
    case "timestamp_ns":
    case "timestamptz_ns":
      return bytesOf(8, (view) => view.setBigInt64(0, value as bigint, true));
    case "float":
      return bytesOf(4, (view) => view.setFloat32(0, value as number, true));
    case "double":
      return bytesOf(8, (view) => view.setFloat64(0, value as number, true));
    case "decimal":
      return encodeUnscaled(value as bigint);
    case "string":
      return utf8.encode(value as string);
    case "uuid":
    case "fixed":
    case "binary":
    case "geometry":
    case "geography":
      return value as Uint8Array;
    case "unknown":
      throw noValue(type);
  }
}

/**
 * Reads the binary single-value form back. Bounds written before a column was widened keep the narrow width: four bytes
 * for a long are an int, for a double a float, for a timestamp a date.
 * @throws FrazilError kind `corrupt` when the bytes do not have a width of the type.
 */
export function decodeValue(type: PrimitiveType, bytes: Uint8Array): Value {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const width = (expected: number): void => {
    if (bytes.length !== expected) {
      const message = `a value of type ${typeText(type)} has ${bytes.length} bytes, expected ${expected}`;
      throw new FrazilError("corrupt", "VALUE_WIDTH", message);
    }
  };
  switch (type.kind) {
    case "boolean":
      width(1);
      return bytes[0] !== 0;
    case "int":
    case "date":
      width(4);
      return view.getInt32(0, true);
    case "timestamp":
      if (bytes.length === 4) return BigInt(view.getInt32(0, true)) * MICROS_PER_DAY;
      width(8);
      return view.getBigInt64(0, true);
    case "timestamp_ns":
      if (bytes.length === 4) return BigInt(view.getInt32(0, true)) * MICROS_PER_DAY * 1000n;
      width(8);
      return view.getBigInt64(0, true);
    case "long":
      if (bytes.length === 4) return BigInt(view.getInt32(0, true));
      width(8);
      return view.getBigInt64(0, true);
    case "time":
    case "timestamptz":
    case "timestamptz_ns":
      width(8);
      return view.getBigInt64(0, true);
    case "float":
      width(4);
      return view.getFloat32(0, true);
    case "double":
      if (bytes.length === 4) return view.getFloat32(0, true);
      width(8);
      return view.getFloat64(0, true);
    case "decimal":
      return decodeUnscaled(bytes);
    case "string":
      return textOf(bytes);
    case "uuid":
      width(16);
      return bytes;
    case "fixed":
      width(type.length);
      return bytes;
    case "binary":
    case "geometry":
    case "geography":
      return bytes;
    case "unknown":
      throw noValue(type);
  }
}

/** Two's complement, big endian, as few bytes as hold the sign (at least one). */
export function encodeUnscaled(unscaled: bigint): Uint8Array {
  let width = 1;
  while (BigInt.asIntN(width * 8, unscaled) !== unscaled) width++;
  const bytes = new Uint8Array(width);
  let rest = unscaled;
  for (let i = width - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

/** The inverse of `encodeUnscaled`; accepts any width. */
export function decodeUnscaled(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return BigInt.asIntN(bytes.length * 8, value);
}

/**
 * Iceberg's order within one type: negative, zero or positive. Strings by code point (UTF-8 byte order), bytes unsigned;
 * NaN after everything, −0.0 before 0.0.
 */
export function compareValues(type: PrimitiveType, a: Value, b: Value): number {
  switch (type.kind) {
    case "string":
      return compareStrings(a as string, b as string);
    case "uuid":
    case "fixed":
    case "binary":
    case "geometry":
    case "geography":
      return compareBytes(a as Uint8Array, b as Uint8Array);
    case "float":
    case "double":
      return compareFloats(a as number, b as number);
    default:
      return a < b ? -1 : a > b ? 1 : 0;
  }
}

function compareFloats(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  if (a === 0 && b === 0) return Number(Object.is(b, -0)) - Number(Object.is(a, -0));
  return a - b < 0 ? -1 : a === b ? 0 : 1;
}

function compareStrings(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    // UTF-16 units order like code points except that surrogates (D800..DFFF) stand for points above U+FFFF.
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

/** Unsigned lexicographic order. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** The value of one row in the form that `encodeValue` takes, or null. Bytes are views into the column. */
export function valueAt(column: Column, row: number): Value | null {
  if (column.type.kind === "unknown" || !isValid(column, row)) return null;
  switch (column.layout) {
    case "bits":
      return ((column.values[row >> 3] as number) & (1 << (row & 7))) !== 0;
    case "i32":
    case "i64":
    case "f32":
    case "f64":
      return must(column.values[row], `row ${row} is outside the column`);
    case "i128":
      return (
        (must(column.values[2 * row + 1], `row ${row}`) << 64n) | BigInt.asUintN(64, column.values[2 * row] as bigint)
      );
    case "bytes": {
      const bytes = column.values.subarray(column.offsets[row], column.offsets[row + 1]);
      return column.type.kind === "string" ? textOf(bytes) : bytes;
    }
    case "fixed":
      return column.values.subarray(row * column.width, (row + 1) * column.width);
  }
}

function textOf(bytes: Uint8Array): string {
  try {
    return fromUtf8.decode(bytes);
  } catch (cause) {
    const found = `bytes ${hexOf(bytes.subarray(0, 16))}`;
    throw new FrazilError("corrupt", "INVALID_UTF8", `expected a string in UTF-8, found ${found}`, { cause });
  }
}

function bytesOf(width: number, fill: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(width);
  fill(new DataView(bytes.buffer));
  return bytes;
}

function noValue(type: PrimitiveType): FrazilError {
  return new FrazilError("unsupported", "NO_SINGLE_VALUE", `type ${typeText(type)} has no single-value form`);
}
