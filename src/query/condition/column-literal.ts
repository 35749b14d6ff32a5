import type { PrimitiveType, Value } from "../../../table-format/index.ts";
import type { Literal } from "./condition.ts";
import { daysOf, instantOf, timeOf } from "./times.ts";

/** A literal as a value of a column's type, or between two of them: of integers and decimals the unscaled value below. */
export type ColumnLiteral = { readonly value: Value } | { readonly below: bigint };

/** DuckDB compares decimals of at most so many digits. */
const MOST_DIGITS = 38;

/**
 * The literal as DuckDB takes it beside a column of the type; null where it would refuse it, and where the two are compared in a type
 * that rounds one of them.
 */
export function columnLiteral(type: PrimitiveType, literal: Literal): ColumnLiteral | null {
  switch (type.kind) {
    case "boolean":
      return literal.kind === "boolean" ? { value: literal.value } : null;
    case "int":
      return integerLiteral(literal, 10, 32);
    case "long":
      return integerLiteral(literal, 19, 64);
    case "decimal":
      return decimalLiteral(literal, type.precision, type.scale);
    case "float":
    case "double":
      return literal.kind === "number" || literal.kind === "text" ? realLiteral(literal, type.kind) : null;
    case "string":
      return literal.kind === "text" ? { value: literal.text } : null;
    case "uuid":
      return literal.kind === "text" ? exactly(uuidOf(literal.text)) : null;
    case "binary":
      return literal.kind === "text" ? exactly(bytesOf(literal.text)) : null;
    case "fixed": {
      const bytes = literal.kind === "text" ? bytesOf(literal.text) : null;
      return bytes?.length === type.length ? { value: bytes } : null;
    }
    default:
      return exactly(timeLiteral(type.kind, literal));
  }
}

function exactly(value: Value | null): ColumnLiteral | null {
  return value === null ? null : { value };
}

function timeLiteral(kind: PrimitiveType["kind"], literal: Literal): Value | null {
  if (!("text" in literal) || literal.kind === "number") return null;
  const isOf = (...kinds: readonly Literal["kind"][]): boolean =>
    literal.kind === "text" || kinds.includes(literal.kind);
  switch (kind) {
    case "date":
      return isOf("date") ? daysOf(literal.text) : null;
    case "time":
      return isOf("time") ? timeOf(literal.text) : null;
    case "timestamp":
      return isOf("timestamp", "date") ? momentOf(literal, 6, false) : null;
    case "timestamptz":
      return isOf("timestamptz", "timestamp", "date") ? momentOf(literal, 6, isOf("timestamptz")) : null;
    case "timestamp_ns":
      return isOf() ? momentOf(literal, 9, false) : null;
    default:
      return null;
  }
}

/** Ticks since 1970 of 10^-`digits` seconds; without a zone in UTC, as our sessions of DuckDB have it. */
function momentOf(literal: Literal & { readonly text: string }, digits: 6 | 9, isZoned: boolean): bigint | null {
  if (literal.kind === "date" && daysOf(literal.text) === null) return null;
  return instantOf(literal.text, digits, isZoned);
}

/** A number without an exponent. */
interface Digits {
  readonly unscaled: bigint;
  readonly scale: number;
  /** In front of the point. */
  readonly whole: number;
}

function digitsOf(text: string): Digits | null {
  const match = /^(-?)0*(\d*)(?:\.(\d+))?$/.exec(text);
  if (match === null) return null;
  const [, sign = "", whole = "", fraction = ""] = match;
  const unscaled = BigInt(`0${whole}${fraction}`);
  return { unscaled: sign === "-" ? -unscaled : unscaled, scale: fraction.length, whole: whole.length };
}

function integerLiteral(literal: Literal, columnDigits: number, bits: 32 | 64): ColumnLiteral | null {
  if (literal.kind !== "number" && literal.kind !== "text") return null;
  const digits = digitsOf(literal.text);
  if (digits === null || digits.whole > 19) return null;
  if (literal.kind === "text") {
    // It is cast to the column's type, or refused.
    const isFit = digits.scale === 0 && BigInt.asIntN(bits, digits.unscaled) === digits.unscaled;
    return isFit && literal.text !== "-" ? { value: digits.unscaled } : null;
  }
  return Math.max(columnDigits, digits.whole) + digits.scale > MOST_DIGITS ? null : atScale(digits, 0);
}

function decimalLiteral(literal: Literal, precision: number, scale: number): ColumnLiteral | null {
  if (literal.kind !== "number" && literal.kind !== "text") return null;
  const digits = digitsOf(literal.text);
  if (digits === null) return null;
  const whole = precision - scale;
  const isFit =
    literal.kind === "text"
      ? /\d/.test(literal.text) && digits.whole <= whole && digits.scale <= scale
      : Math.max(whole, digits.whole) + Math.max(scale, digits.scale) <= MOST_DIGITS;
  return isFit ? atScale(digits, scale) : null;
}

function atScale({ unscaled, scale }: Digits, columnScale: number): ColumnLiteral {
  if (scale <= columnScale) return { value: unscaled * 10n ** BigInt(columnScale - scale) };
  const divisor = 10n ** BigInt(scale - columnScale);
  const quotient = unscaled / divisor;
  if (quotient * divisor === unscaled) return { value: quotient };
  return { below: unscaled < 0n ? quotient - 1n : quotient };
}

/** Up to here a quotient of the number's digits and a power of ten is the number rounded once. */
const EXACT = { float: { unscaled: 2n ** 24n, scale: 10 }, double: { unscaled: 2n ** 53n, scale: 22 } };

function realLiteral(
  { kind, text }: Literal & { kind: "number" | "text" },
  type: "float" | "double",
): ColumnLiteral | null {
  if (!/^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text)) return null;
  const digits = digitsOf(text);
  if (type === "double" && (digits === null || kind === "text")) {
    return Number.isFinite(Number(text)) ? { value: Number(text) } : null;
  }
  // With an exponent it is a double, and floats are compared as doubles.
  if (digits === null) return null;
  const { unscaled, scale } = EXACT[type];
  const size = digits.unscaled < 0n ? -digits.unscaled : digits.unscaled;
  if (size > unscaled || digits.scale > scale) return null;
  return { value: type === "float" ? Math.fround(Number(text)) : Number(text) };
}

function uuidOf(text: string): Uint8Array | null {
  if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return null;
  return Uint8Array.from(Buffer.from(text.replaceAll("-", ""), "hex"));
}

/** Of a text of printable ASCII with `\xFF` for any byte. */
function bytesOf(text: string): Uint8Array | null {
  if (!/^(?:[ -[\]-~]|\\x[0-9a-fA-F]{2})*$/.test(text)) return null;
  const bytes = text.match(/\\x..|./g) ?? [];
  return Uint8Array.from(bytes, (byte) =>
    byte.length === 1 ? byte.charCodeAt(0) : Number.parseInt(byte.slice(2), 16),
  );
}
