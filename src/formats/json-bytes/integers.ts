import { DOT, LETTER_E, LETTER_e, MINUS, ZERO } from "./ascii.ts";
import { JsonFault, ValueFault } from "./fault.ts";

/** An int64 in two words of 32 bits (only the bits count), and the position after it. One object is reused. */
export interface Int64Words {
  low: number;
  high: number;
  next: number;
}

const words: Int64Words = { low: 0, high: 0, next: 0 };

const WORD = 0x1_0000_0000;
const BILLION = 1_000_000_000;

/**
 * Reads the integer at `pos`, exact over the whole int64 range and without a bigint.
 * @throws ValueFault for a fraction, an exponent or a number beyond 64 bits; JsonFault for malformed numbers.
 */
export function int64At(bytes: Uint8Array, pos: number, end: number): Int64Words {
  const negative = bytes[pos] === MINUS;
  const first = negative ? pos + 1 : pos;
  let at = first;
  let value = 0;
  while (at < end) {
    const digit = (bytes[at] as number) - ZERO;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
    at++;
  }
  checkInteger(bytes, pos, first, at, end);
  words.next = at;
  // A sum that never reached 2^53 was exact at every step.
  if (value <= Number.MAX_SAFE_INTEGER) {
    const signed = negative ? -value : value;
    words.low = signed | 0;
    words.high = Math.floor(signed / WORD) | 0;
  } else {
    wideWords(bytes, pos, first, at, negative);
  }
  return words;
}

/** Checks the grammar around the digits from `first` to `at` of the integer that starts at `pos`. */
export function checkInteger(bytes: Uint8Array, pos: number, first: number, at: number, end: number): void {
  if (at === first) throw at < end && first === pos ? new ValueFault(pos, "an integer") : new JsonFault(at, "a digit");
  if (bytes[first] === ZERO && at - first > 1) throw new JsonFault(first + 1, "no digit after a leading zero");
  if (at < end) {
    const next = bytes[at];
    if (next === DOT || next === LETTER_e || next === LETTER_E) {
      throw new ValueFault(pos, "an integer, without fraction or exponent", "double");
    }
  }
}

/** 17 to 19 digits: `high part × 10^9 + low part`, multiplied in pieces that a double holds exactly. */
function wideWords(bytes: Uint8Array, pos: number, first: number, end: number, negative: boolean): void {
  if (end - first > 19) throw beyond(pos);
  const split = end - 9;
  const upper = digits(bytes, first, split);
  const lower = digits(bytes, split, end);
  const upperLow = upper % WORD;
  const a = Math.floor(upperLow / 0x1_0000) * BILLION;
  const b = (upperLow % 0x1_0000) * BILLION + lower;
  const low = (a % 0x1_0000) * 0x1_0000 + b;
  const high = Math.floor(a / 0x1_0000) + Math.floor(low / WORD) + Math.floor(upper / WORD) * BILLION;
  const smallest = negative && high === 0x8000_0000 && low % WORD === 0;
  if (high > 0x7fff_ffff && !smallest) throw beyond(pos);
  words.low = (low % WORD) | 0;
  words.high = high | 0;
  if (negative) {
    words.low = -words.low | 0;
    words.high = words.low === 0 ? -words.high | 0 : ~words.high;
  }
}

function digits(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let k = start; k < end; k++) value = value * 10 + (bytes[k] as number) - ZERO;
  return value;
}

function beyond(pos: number): ValueFault {
  return new ValueFault(pos, "an integer of at most 64 bits", "decimal(38, 0)");
}
