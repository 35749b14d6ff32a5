import type { ColumnBuilder, I32Builder, I64Builder, PrimitiveType } from "../../../table-format/index.ts";
import { typeText } from "../../../table-format/index.ts";
import { isDigit, MINUS, QUOTE } from "../json-bytes/ascii.ts";
import { ValueFault } from "../json-bytes/fault.ts";
import { type Int64Words, int64At } from "../json-bytes/integers.ts";
import { textAt } from "../json-bytes/strings.ts";
import { type IsoRead, readIso } from "../json-bytes/times.ts";
import { type Convert, unitNsOf } from "./wire.ts";

const US_PER_DAY = 86_400_000_000;
const WORD = 0x1_0000_0000;

/** ISO 8601 texts as a date or a timestamp. `inUtc`: a text without an offset is in UTC, where the type wants a zone. */
export function isoText(type: PrimitiveType, inUtc = false): Convert {
  const append = type.kind === "date" ? appendDate : timestampAppender(type, inUtc);
  const expected = type.kind === "date" ? "date (ISO 8601, or days)" : `${typeText(type)} (ISO 8601, or an integer)`;
  return (bytes, pos, end, builder) => {
    if (bytes[pos] !== QUOTE) throw new ValueFault(pos, expected, "string");
    const text = textAt(bytes, pos, end);
    const iso = readIso(text.bytes, text.start, text.end);
    if (iso === null || !iso.hasDate) throw new ValueFault(pos, expected, "string");
    append(iso, builder, pos);
    return text.next;
  };
}

/** A midnight is a date too: many writers know only timestamps. */
function appendDate(iso: IsoRead, builder: ColumnBuilder, at: number): void {
  if (iso.seconds !== 0 || iso.nanos !== 0 || iso.offsetSeconds !== 0) throw new ValueFault(at, "date", "timestamp");
  (builder as I32Builder).appendI32(iso.days);
}

function timestampAppender(
  type: PrimitiveType,
  inUtc: boolean,
): (iso: IsoRead, builder: ColumnBuilder, at: number) => void {
  const zoned = type.kind === "timestamptz" || type.kind === "timestamptz_ns";
  const unitNs = unitNsOf(type);
  const name = typeText(type);
  return (iso, builder, at) => {
    if (!iso.hasTime) throw new ValueFault(at, `${name}, with a time of day`, "date");
    // An offset that a type without zone would drop, or one that nobody named: neither is guessed.
    if (zoned && !iso.hasOffset && !inUtc) throw new ValueFault(at, `${name}, with "Z" or an offset`, "timestamp");
    if (!zoned && iso.offsetSeconds !== 0) throw new ValueFault(at, `${name}, without an offset`, "timestamptz");
    if (iso.nanos % unitNs !== 0) throw new ValueFault(at, `${name}, in whole microseconds`, `${name}_ns`);
    appendUnits(
      iso.days * 86_400 + iso.seconds - iso.offsetSeconds,
      iso.nanos,
      unitNs,
      builder as I64Builder,
      at,
      name,
    );
  };
}

function appendUnits(
  seconds: number,
  nanos: number,
  unitNs: number,
  builder: I64Builder,
  at: number,
  name: string,
): void {
  const units = seconds * (1_000_000_000 / unitNs) + nanos / unitNs;
  if (Number.isSafeInteger(units)) {
    builder.appendI64Number(units);
    return;
  }
  const exact = BigInt(seconds) * BigInt(1_000_000_000 / unitNs) + BigInt(nanos / unitNs);
  if (exact !== BigInt.asIntN(64, exact)) throw new ValueFault(at, `${name} within its range`, "string");
  builder.appendI64(exact);
}

/**
 * Integers that count units of `unitNs` since 1970, as a date or a timestamp, and ISO texts. Nothing is rounded: a value that the
 * type cannot hold is refused.
 */
export function scaledInteger(type: PrimitiveType, unitNs: number): Convert {
  const fromText = isoText(type);
  const target = unitNsOf(type);
  const factor = Math.max(1, unitNs / target);
  const divisor = Math.max(1, target / unitNs);
  const expected = typeText(type);
  return (bytes, pos, end, builder) => {
    if (bytes[pos] !== MINUS && !isDigit(bytes[pos])) return fromText(bytes, pos, end, builder);
    const words = int64At(bytes, pos, end);
    const value = safeValue(words);
    // The remainder is exact where a quotient would round to a neighbour.
    const scaled = divisor > 1 ? (value % divisor === 0 ? value / divisor : NaN) : value * factor;
    if (Number.isSafeInteger(scaled)) {
      appendNumber(scaled, type, builder, pos);
    } else {
      if (divisor > 1 && exactValue(words) % BigInt(divisor) !== 0n) {
        throw new ValueFault(pos, `${expected}, without a remainder`, "long");
      }
      const exact = divisor > 1 ? exactValue(words) / BigInt(divisor) : exactValue(words) * BigInt(factor);
      if (exact !== BigInt.asIntN(64, exact)) throw new ValueFault(pos, `${expected} within its range`, "long");
      if (type.kind === "date") appendNumber(Number(exact), type, builder, pos);
      else (builder as I64Builder).appendI64(exact);
    }
    return words.next;
  };
}

/** Times of day, in units of `unitNs` or as ISO text. A negative time or one past 24 h (MySQL has both) is no Iceberg time. */
export function dayTime(unitNs: number): Convert {
  const factor = Math.max(1, unitNs / 1000);
  const divisor = Math.max(1, 1000 / unitNs);
  return (bytes, pos, end, builder) => {
    let next: number;
    let micros: number;
    if (bytes[pos] === QUOTE) {
      const text = textAt(bytes, pos, end);
      next = text.next;
      const iso = readIso(text.bytes, text.start, text.end);
      if (iso === null || iso.hasDate || iso.offsetSeconds !== 0)
        throw new ValueFault(pos, "time (ISO 8601)", "string");
      micros = iso.seconds * 1_000_000 + iso.nanos / 1000;
      if (!Number.isInteger(micros)) throw new ValueFault(pos, "time, in whole microseconds", "string");
    } else {
      if (bytes[pos] !== MINUS && !isDigit(bytes[pos])) throw new ValueFault(pos, "time", "string");
      const words = int64At(bytes, pos, end);
      next = words.next;
      micros = (safeValue(words) * factor) / divisor;
      if (!(micros >= 0 && micros < US_PER_DAY)) throw new ValueFault(pos, "time, from 0 to 24 h", "long");
      if (!Number.isInteger(micros)) throw new ValueFault(pos, "time, in whole microseconds", "long");
    }
    (builder as I64Builder).appendI64Number(micros);
    return next;
  };
}

/** The value where a double holds it exactly, otherwise NaN. */
function safeValue(words: Int64Words): number {
  const value = words.high * WORD + (words.low >>> 0);
  return Number.isSafeInteger(value) ? value : NaN;
}

function exactValue(words: Int64Words): bigint {
  return (BigInt(words.high) << 32n) | BigInt(words.low >>> 0);
}

function appendNumber(value: number, type: PrimitiveType, builder: ColumnBuilder, at: number): void {
  if (type.kind !== "date") {
    (builder as I64Builder).appendI64Number(value);
    return;
  }
  if (value !== (value | 0)) throw new ValueFault(at, "date within its range", "long");
  (builder as I32Builder).appendI32(value);
}
