import type {
  BytesBuilder,
  ColumnBuilder,
  F32Builder,
  F64Builder,
  I128Builder,
  I32Builder,
  I64Builder,
  PrimitiveType,
} from "../../../table-format/index.ts";
import { typeText } from "../../../table-format/index.ts";
import { isDigit, MINUS, OPEN_BRACE, QUOTE } from "../json-bytes/ascii.ts";
import { base64Room, decodeBase64 } from "../json-bytes/base64.ts";
import {
  appendUnscaled,
  appendUnscaledBytes,
  decimalText,
  parseDecimal,
  rescale,
  unscaledOfBytes,
} from "../json-bytes/decimals.ts";
import { ValueFault } from "../json-bytes/fault.ts";
import { int64At } from "../json-bytes/integers.ts";
import { findMember, keyText } from "../json-bytes/members.ts";
import { skipNumber, skipValue } from "../json-bytes/skip.ts";
import { textAt } from "../json-bytes/strings.ts";
import type { Convert } from "./wire.ts";

const SCALE = keyText("scale");
const VALUE = keyText("value");

/** Longest base64 text of a number: 38 digits need 16 bytes, MySQL's 65 digits need 28. */
const MAX_BASE64 = 256;

const unscaled = new Uint8Array(base64Room(MAX_BASE64));

/**
 * Connect's Decimal: base64 of the unscaled value, big-endian two's complement, with the scale in the schema; or, where the
 * producer's JsonConverter has `decimal.format: NUMERIC`, a number. Null for types that no decimal becomes.
 */
export function base64Decimal(type: PrimitiveType, scale: number): Convert | null {
  const append = appenderOf(type);
  if (append === null) return null;
  const direct = type.kind === "decimal" && type.scale === scale ? type : null;
  return (bytes, pos, end, builder) => {
    if (bytes[pos] !== QUOTE) return plainNumber(bytes, pos, end, builder, append);
    const text = textAt(bytes, pos, end);
    const length = decodeUnscaled(text.bytes, text.start, text.end, pos);
    if (direct !== null) {
      appendUnscaledBytes(unscaled, 0, length, direct.precision, direct.scale, builder as I128Builder, pos);
    } else {
      append(unscaledOfBytes(unscaled, 0, length), scale, builder, pos);
    }
    return text.next;
  };
}

/** Debezium's VariableScaleDecimal: `{"scale": 2, "value": "<base64>"}`. */
export function variableDecimal(type: PrimitiveType): Convert | null {
  const append = appenderOf(type);
  if (append === null) return null;
  return (bytes, pos, end, builder) => {
    if (bytes[pos] !== OPEN_BRACE) return plainNumber(bytes, pos, end, builder, append);
    const next = skipValue(bytes, pos, end);
    const scaleAt = findMember(bytes, pos, next, SCALE);
    const valueAt = findMember(bytes, pos, next, VALUE);
    if (scaleAt < 0 || valueAt < 0 || bytes[valueAt] !== QUOTE) {
      throw new ValueFault(pos, 'an object of "scale" and "value"', "string");
    }
    const scale = scaleOf(bytes, scaleAt, next, pos);
    const text = textAt(bytes, valueAt, next);
    const length = decodeUnscaled(text.bytes, text.start, text.end, pos);
    append(unscaledOfBytes(unscaled, 0, length), scale, builder, pos);
    return next;
  };
}

/** Databases go to some ten thousand digits; a bound keeps a corrupt scale from asking for gigabytes of zeros. */
const MAX_SCALE = 100_000;

function scaleOf(bytes: Uint8Array, pos: number, end: number, at: number): number {
  const { low, high } = int64At(bytes, pos, end);
  if (high === low >> 31 && Math.abs(low) <= MAX_SCALE) return low;
  throw new ValueFault(at, `a scale within ±${MAX_SCALE}`, "string");
}

function decodeUnscaled(bytes: Uint8Array, start: number, end: number, at: number): number {
  if (end - start > MAX_BASE64) throw new ValueFault(at, "the base64 of a number", "string");
  return decodeBase64(bytes, start, end, unscaled, 0, at);
}

type Append = (unscaled: bigint, scale: number, builder: ColumnBuilder, at: number) => void;

function plainNumber(bytes: Uint8Array, pos: number, end: number, builder: ColumnBuilder, append: Append): number {
  if (bytes[pos] !== MINUS && !isDigit(bytes[pos])) {
    throw new ValueFault(pos, "a decimal (base64 text or a number)", "string");
  }
  const next = skipNumber(bytes, pos, end);
  const parsed = parseDecimal(bytes, pos, next);
  if (parsed === null || Math.abs(parsed.scale) > MAX_SCALE) throw new ValueFault(pos, "a decimal", "string");
  append(parsed.unscaled, parsed.scale, builder, pos);
  return next;
}

function appenderOf(type: PrimitiveType): Append | null {
  switch (type.kind) {
    case "decimal": {
      const { precision, scale } = type;
      return (value, from, builder, at) => appendUnscaled(value, from, precision, scale, builder as I128Builder, at);
    }
    case "string":
      return (value, from, builder) => (builder as BytesBuilder).appendString(decimalText(value, from));
    case "double":
      return (value, from, builder, at) => (builder as F64Builder).appendF64(nearest(value, from, Infinity, type, at));
    case "float":
      return (value, from, builder, at) => (builder as F32Builder).appendF32(nearest(value, from, MAX_F32, type, at));
    case "long":
    case "int": {
      const bits = type.kind === "int" ? 32 : 64;
      return (value, from, builder, at) => {
        const integer = rescale(value, from, 0);
        if (integer === null || integer !== BigInt.asIntN(bits, integer)) {
          throw new ValueFault(at, typeText(type), "string");
        }
        if (bits === 32) (builder as I32Builder).appendI32(Number(integer));
        else (builder as I64Builder).appendI64(integer);
      };
    }
    default:
      return null;
  }
}

/** Beyond it the nearest float is an infinity: half a unit above the largest one. */
const MAX_F32 = (2 - 2 ** -24) * 2 ** 127;

/** The nearest double. @throws ValueFault at `at` from `limit` on, where the type holds infinities only. */
function nearest(value: bigint, from: number, limit: number, type: PrimitiveType, at: number): number {
  const number = Number(`${value}e${-from}`);
  if (Math.abs(number) < limit) return number;
  throw new ValueFault(at, `a number within the range of a ${typeText(type)}`, "string");
}
