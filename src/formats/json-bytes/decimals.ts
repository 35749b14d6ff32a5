import type { I128Builder } from "../../../table-format/index.ts";
import { DOT, LETTER_E, LETTER_e, MINUS, PLUS, ZERO } from "./ascii.ts";
import { ValueFault } from "./fault.ts";
import { asciiText } from "./text.ts";

/** Longest text taken as a number: nothing a database writes comes near, and a bound keeps the arithmetic cheap. */
const MAX_TEXT = 1024;

/** Exponents beyond this are zero or out of range for every decimal of 38 digits. */
const MAX_EXPONENT = 2048;

/**
 * Appends the number that the text from `start` to `end` writes (`-12.30`, `+5`, `.5`, `1.2e3`) to a column of decimals, exactly.
 * @throws ValueFault at `at` when it is no number, has digits beyond `scale`, or more than `precision` digits.
 */
export function appendDecimalText(
  bytes: Uint8Array,
  start: number,
  end: number,
  precision: number,
  scale: number,
  builder: I128Builder,
  at: number,
): void {
  const negative = bytes[start] === MINUS;
  let pos = negative || bytes[start] === PLUS ? start + 1 : start;
  const first = pos;
  let value = 0;
  let point = -1;
  for (; pos < end; pos++) {
    const byte = bytes[pos] as number;
    const digit = byte - ZERO;
    if (digit >= 0 && digit <= 9) value = value * 10 + digit;
    else if (byte === DOT && point < 0) point = pos;
    else break;
  }
  const missing = scale - (point < 0 ? 0 : pos - point - 1);
  const digits = pos - first - (point < 0 ? 0 : 1);
  // Up to 15 digits, also after the zeros that bring it to scale, a double is exact.
  if (pos === end && digits > 0 && missing >= 0 && digits + missing <= 15) {
    const unscaled = value * (TENS[missing] as number);
    if (precision < 16 && unscaled >= (TENS[precision] as number)) throw tooLong(at, precision, scale);
    builder.appendI64Number(negative ? -unscaled : unscaled);
    return;
  }
  const parsed = parseDecimal(bytes, start, end);
  if (parsed === null) throw new ValueFault(at, `decimal(${precision}, ${scale})`, "string");
  appendUnscaled(parsed.unscaled, parsed.scale, precision, scale, builder, at);
}

const TENS = Array.from({ length: 17 }, (_, k) => 10 ** k);

/** An exact number: `unscaled × 10^-scale`. */
export interface Decimal {
  readonly unscaled: bigint;
  readonly scale: number;
}

/** Reads a decimal text; null when it is none. */
export function parseDecimal(bytes: Uint8Array, start: number, end: number): Decimal | null {
  if (end - start > MAX_TEXT) return null;
  const match = /^([-+]?)(\d*)(?:\.(\d*))?(?:[eE]([-+]?\d{1,9}))?$/.exec(asciiText(bytes, start, end));
  if (match === null) return null;
  const [, sign, whole = "", fraction = "", exponent = "0"] = match;
  if (whole.length + fraction.length === 0) return null;
  const magnitude = BigInt(whole + fraction);
  return { unscaled: sign === "-" ? -magnitude : magnitude, scale: fraction.length - Number(exponent) };
}

/**
 * Appends `unscaled × 10^-from` to a column of decimals with `scale`.
 * @throws ValueFault at `at` when digits would be lost or there are more than `precision`.
 */
export function appendUnscaled(
  unscaled: bigint,
  from: number,
  precision: number,
  scale: number,
  builder: I128Builder,
  at: number,
): void {
  const value = rescale(unscaled, from, scale);
  if (value === null)
    throw new ValueFault(at, `decimal(${precision}, ${scale}), found digits beyond its scale`, "string");
  const limit = 10n ** BigInt(precision);
  if (value >= limit || value <= -limit) throw tooLong(at, precision, scale);
  builder.appendDecimal128(value, value >> 64n);
}

/** `unscaled × 10^-from` in units of `10^-to`; null when that is no integer or absurdly long. */
export function rescale(unscaled: bigint, from: number, to: number): bigint | null {
  if (from === to || unscaled === 0n) return unscaled;
  const shift = to - from;
  if (Math.abs(shift) > MAX_EXPONENT) return null;
  if (shift > 0) return unscaled * 10n ** BigInt(shift);
  const divisor = 10n ** BigInt(-shift);
  return unscaled % divisor === 0n ? unscaled / divisor : null;
}

/** The number that big-endian two's complement bytes make; no bytes make zero. */
export function unscaledOfBytes(bytes: Uint8Array, start: number, end: number): bigint {
  let value = 0n;
  for (let pos = start; pos < end; pos++) value = (value << 8n) | BigInt(bytes[pos] as number);
  return end > start && (bytes[start] as number) > 0x7f ? value - (1n << BigInt(8 * (end - start))) : value;
}

/**
 * Appends big-endian two's complement bytes, already in the column's scale.
 * @throws ValueFault at `at` when there are more than `precision` digits.
 */
export function appendUnscaledBytes(
  bytes: Uint8Array,
  start: number,
  end: number,
  precision: number,
  scale: number,
  builder: I128Builder,
  at: number,
): void {
  if (end - start > 6) {
    if (end - start > 64) throw tooLong(at, precision, scale);
    appendUnscaled(unscaledOfBytes(bytes, start, end), scale, precision, scale, builder, at);
    return;
  }
  let value = end > start && (bytes[start] as number) > 0x7f ? -1 : 0;
  for (let pos = start; pos < end; pos++) value = value * 256 + (bytes[pos] as number);
  if (precision < 16 && Math.abs(value) >= (TENS[precision] as number)) throw tooLong(at, precision, scale);
  builder.appendI64Number(value);
}

/** The plain text of a decimal: `-0.05`, `1200`. */
export function decimalText(unscaled: bigint, scale: number): string {
  if (scale <= 0) return String(unscaled * 10n ** BigInt(-scale));
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
  return `${unscaled < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

function tooLong(at: number, precision: number, scale: number): ValueFault {
  return new ValueFault(at, `decimal(${precision}, ${scale}), found more than ${precision} digits`, "string");
}

/** Whether the number text from `start` to `end` is written with a fraction or an exponent. */
export function hasFraction(bytes: Uint8Array, start: number, end: number): boolean {
  for (let pos = start; pos < end; pos++) {
    const byte = bytes[pos];
    if (byte === DOT || byte === LETTER_e || byte === LETTER_E) return true;
  }
  return false;
}
