import type {
  BitsBuilder,
  BytesBuilder,
  F32Builder,
  F64Builder,
  FixedBuilder,
  I32Builder,
  I64Builder,
  PrimitiveType,
} from "../../../table-format/index.ts";
import { typeText } from "../../../table-format/index.ts";
import { isDigit, MINUS, PLUS, QUOTE, ZERO } from "../json-bytes/ascii.ts";
import { base64Room, decodeBase64 } from "../json-bytes/base64.ts";
import { doubleOfText } from "../json-bytes/doubles.ts";
import { ValueFault } from "../json-bytes/fault.ts";
import { int64At } from "../json-bytes/integers.ts";
import { skipValue } from "../json-bytes/skip.ts";
import { checkUtf8, readString, textAt } from "../json-bytes/strings.ts";
import { asciiText } from "../json-bytes/text.ts";
import { uuidBytes } from "../json-bytes/uuids.ts";
import { base64Decimal, variableDecimal } from "./decimal-conversions.ts";
import { type Convert, unitNsOf, type Wire } from "./wire.ts";
import { dayTime, isoText, scaledInteger } from "./time-conversions.ts";

let scratch = new Uint8Array(64);

/**
 * Reads what is not a type's usual form (see `Read`): another JSON kind, or Debezium's own encodings. `byUser`: the type stands in
 * `columns:`. Null when such values cannot become the type.
 */
export function conversion(type: PrimitiveType, wire: Wire, byUser: boolean): Convert | null {
  if (type.kind === "unknown") return null;
  switch (wire.kind) {
    case "decimal":
      return base64Decimal(type, wire.scale);
    case "variable-decimal":
      return variableDecimal(type);
    case "bytes":
      return ofBytes(type);
    case "instant":
      return ofInstant(type, wire.unitNs);
    case "time-of-day":
      if (type.kind === "time") return dayTime(wire.unitNs);
      return type.kind === "long" || type.kind === "int" ? refuse(type) : type.kind === "string" ? jsonText : null;
    case "plain":
      return ofPlain(type, byUser);
    case "own":
      return wire.convert(type, byUser);
  }
}

function ofBytes(type: PrimitiveType): Convert | null {
  switch (type.kind) {
    case "binary":
      return base64Bytes;
    case "fixed":
    case "uuid":
      return base64Fixed(type);
    case "string":
      return refuse(type);
    default:
      return null;
  }
}

function ofInstant(type: PrimitiveType, unitNs: number): Convert | null {
  switch (type.kind) {
    case "date":
    case "timestamp":
    case "timestamptz":
    case "timestamp_ns":
    case "timestamptz_ns":
      return scaledInteger(type, unitNs);
    case "long":
    case "int":
      return refuse(type);
    case "string":
      return jsonText;
    default:
      return null;
  }
}

function ofPlain(type: PrimitiveType, byUser: boolean): Convert {
  switch (type.kind) {
    case "string":
      return byUser ? jsonText : refuse(type);
    case "long":
    case "int":
      return byUser ? quotedInteger(type) : refuse(type);
    case "double":
    case "float":
      return quotedNumber(type, byUser);
    case "boolean":
      return byUser ? zeroOrOne : refuse(type);
    case "date":
    case "timestamp":
    case "timestamptz":
    case "timestamp_ns":
    case "timestamptz_ns":
      return isoText(type);
    case "time":
      return dayTime(unitNsOf(type));
    case "uuid":
      return uuidText;
    case "binary":
      return base64Bytes;
    case "fixed":
      return base64Fixed(type);
    default:
      return refuse(type);
  }
}

/** Refuses whatever comes. */
export function refuse(type: PrimitiveType): Convert {
  const expected = typeText(type);
  return (bytes, pos, end) => {
    skipValue(bytes, pos, end);
    throw new ValueFault(pos, expected, "string");
  };
}

/** The value's JSON text as it stands; of a string its content. */
export const jsonText: Convert = (bytes, pos, end, builder) => {
  if (bytes[pos] === QUOTE) return readString(bytes, pos, end, builder as BytesBuilder);
  const next = skipValue(bytes, pos, end);
  checkUtf8(bytes, pos, next);
  (builder as BytesBuilder).appendBytes(bytes, pos, next);
  return next;
};

/** An integer in a string. */
function quotedInteger(type: PrimitiveType): Convert {
  const expected = typeText(type);
  return (bytes, pos, end, builder) => {
    if (bytes[pos] !== QUOTE) throw new ValueFault(pos, expected, "string");
    const text = textAt(bytes, pos, end);
    const { next } = text;
    let start = text.bytes[text.start] === PLUS ? text.start + 1 : text.start;
    const negative = text.bytes[start] === MINUS;
    const first = negative ? start + 1 : start;
    let digits = first;
    while (digits < text.end && isDigit(text.bytes[digits])) digits++;
    if (digits !== text.end || digits === first) throw new ValueFault(pos, expected, "string");
    // Zero-padded texts are fine, JSON's own integers are not written so.
    start = first;
    while (start < digits - 1 && text.bytes[start] === ZERO) start++;
    if (digits - start > 19) throw new ValueFault(pos, expected, "decimal(38, 0)");
    const value = BigInt(asciiText(text.bytes, start, digits)) * (negative ? -1n : 1n);
    if (value !== BigInt.asIntN(type.kind === "int" ? 32 : 64, value)) {
      throw new ValueFault(pos, expected, type.kind === "int" ? "long" : "decimal(38, 0)");
    }
    if (type.kind === "int") (builder as I32Builder).appendI32(Number(value));
    else (builder as I64Builder).appendI64(value);
    return next;
  };
}

/** A number in a string; where the user did not ask for it only what JSON cannot write as a number. */
export function quotedNumber(type: PrimitiveType, byUser: boolean): Convert {
  const expected = typeText(type);
  return (bytes, pos, end, builder) => {
    if (bytes[pos] !== QUOTE) throw new ValueFault(pos, expected, "string");
    const text = textAt(bytes, pos, end);
    const value = doubleOfText(text.bytes, text.start, text.end);
    if (value === null || (!byUser && Number.isFinite(value))) throw new ValueFault(pos, expected, "string");
    if (type.kind === "double") {
      (builder as F64Builder).appendF64(value);
    } else {
      if (Number.isFinite(value) && !Number.isFinite(Math.fround(value))) throw new ValueFault(pos, expected, "double");
      (builder as F32Builder).appendF32(value);
    }
    return text.next;
  };
}

/** MySQL's tinyint(1) arrives as a number. */
const zeroOrOne: Convert = (bytes, pos, end, builder) => {
  if (bytes[pos] !== MINUS && !isDigit(bytes[pos])) throw new ValueFault(pos, "boolean", "string");
  const words = int64At(bytes, pos, end);
  if (words.high !== 0 || (words.low !== 0 && words.low !== 1)) throw new ValueFault(pos, "boolean (or 0 or 1)", "int");
  (builder as BitsBuilder).appendBool(words.low === 1);
  return words.next;
};

/** The text of a UUID. */
export const uuidText: Convert = (bytes, pos, end, builder) => {
  if (bytes[pos] !== QUOTE) throw new ValueFault(pos, "uuid", "string");
  const text = textAt(bytes, pos, end);
  uuidBytes(text.bytes, text.start, text.end, scratch, pos);
  (builder as FixedBuilder).appendBytes(scratch, 0, 16);
  return text.next;
};

/** Base64 in a string. */
export const base64Bytes: Convert = (bytes, pos, end, builder) => {
  if (bytes[pos] !== QUOTE) throw new ValueFault(pos, "binary (base64 text)", "string");
  const text = textAt(bytes, pos, end);
  const column = builder as BytesBuilder;
  const out = column.reserveBytes(base64Room(text.end - text.start));
  column.commitBytes(decodeBase64(text.bytes, text.start, text.end, out, column.bytesLength, pos));
  return text.next;
};

/** Base64 of exactly the bytes that the type holds. */
export function base64Fixed(type: PrimitiveType): Convert {
  const expected = `${typeText(type)} (base64 text)`;
  return (bytes, pos, end, builder) => {
    if (bytes[pos] !== QUOTE) throw new ValueFault(pos, expected, "string");
    const text = textAt(bytes, pos, end);
    const room = base64Room(text.end - text.start);
    if (scratch.length < room) scratch = new Uint8Array(room);
    const length = decodeBase64(text.bytes, text.start, text.end, scratch, 0, pos);
    if (length !== (builder as FixedBuilder).width) throw new ValueFault(pos, expected, "binary");
    (builder as FixedBuilder).appendBytes(scratch, 0, length);
    return text.next;
  };
}
