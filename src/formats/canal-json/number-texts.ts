import type { BitsBuilder, I32Builder, I64Builder, PrimitiveType } from "../../../table-format/index.ts";
import { typeText } from "../../../table-format/index.ts";
import { isDigit, MINUS, PLUS, QUOTE, ZERO } from "../json-bytes/ascii.ts";
import { ValueFault } from "../json-bytes/fault.ts";
import { int64At } from "../json-bytes/integers.ts";
import { skipValue } from "../json-bytes/skip.ts";
import { textAt } from "../json-bytes/strings.ts";
import { asciiText } from "../json-bytes/text.ts";
import type { Convert } from "../json-columns/wire.ts";

/** Longest digits of an int64. */
const MAX_DIGITS = 19;

/** An integer in a text, zero-filled ones too. */
export function integerText(type: PrimitiveType): Convert {
  const expected = typeText(type);
  const wider = type.kind === "int" ? "long" : "decimal(20, 0)";
  return (bytes, pos, end, builder) => {
    if (bytes[pos] !== QUOTE) throw new ValueFault(pos, expected, "string");
    const text = textAt(bytes, pos, end);
    const { bytes: from, next } = text;
    const negative = from[text.start] === MINUS;
    let first = negative || from[text.start] === PLUS ? text.start + 1 : text.start;
    for (let at = first; at < text.end; at++) if (!isDigit(from[at])) throw new ValueFault(pos, expected, "string");
    if (first === text.end) throw new ValueFault(pos, expected, "string");
    while (first < text.end - 1 && from[first] === ZERO) first++;
    if (text.end - first > MAX_DIGITS) throw new ValueFault(pos, expected, "decimal(38, 0)");
    const { low, high } = wordsOf(from, first, text.end, negative, pos, expected);
    if (type.kind === "long") {
      (builder as I64Builder).appendI64Parts(low, high);
    } else {
      if (low >> 31 !== high) throw new ValueFault(pos, expected, wider);
      (builder as I32Builder).appendI32(low);
    }
    return next;
  };
}

const words = { low: 0, high: 0 };

/** The int64 that the digits from `first` to `end` make, which is out of range beyond 2^63 - 1, or 2^63 where it is negative. */
function wordsOf(
  bytes: Uint8Array,
  first: number,
  end: number,
  negative: boolean,
  pos: number,
  expected: string,
): { low: number; high: number } {
  if (end - first < MAX_DIGITS) {
    const read = int64At(bytes, first, end);
    words.low = negative ? -read.low | 0 : read.low;
    words.high = negative ? (words.low === 0 ? -read.high | 0 : ~read.high) : read.high;
    return words;
  }
  const magnitude = BigInt(asciiText(bytes, first, end));
  const value = negative ? -magnitude : magnitude;
  if (value !== BigInt.asIntN(64, value)) throw new ValueFault(pos, expected, "decimal(20, 0)");
  words.low = Number(BigInt.asIntN(32, value));
  words.high = Number(value >> 32n);
  return words;
}

/** MySQL's booleans are numbers. */
export const zeroOrOneText: Convert = (bytes, pos, end, builder) => {
  const next = skipValue(bytes, pos, end);
  const quoted = bytes[pos] === QUOTE;
  const digit = bytes[quoted ? pos + 1 : pos];
  if (next - pos !== (quoted ? 3 : 1) || (digit !== ZERO && digit !== ZERO + 1)) {
    throw new ValueFault(pos, "boolean (0 or 1)", "int");
  }
  (builder as BitsBuilder).appendBool(digit !== ZERO);
  return next;
};
