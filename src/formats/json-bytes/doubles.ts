import { DOT, LETTER_E, LETTER_e, MINUS, PLUS, ZERO } from "./ascii.ts";
import { JsonFault, ValueFault } from "./fault.ts";
import { skipNumber } from "./skip.ts";
import { asciiText } from "./text.ts";

/** A double, `value[0]`, and the position after it. One object is reused; the array saves a number on the heap for each value. */
export interface DoubleRead {
  readonly value: Float64Array;
  next: number;
}

const read: DoubleRead = { value: new Float64Array(1), next: 0 };

/** Powers of ten that a double holds exactly. */
const POWERS = Array.from({ length: 23 }, (_, k) => Number(`1e${k}`));

/**
 * Reads the number at `pos` as the nearest double. A mantissa below 2^53 and a power of ten up to 22 are both exact, so that one
 * multiplication or division rounds once, which is the nearest double (Clinger 1990); anything else goes through `Number`.
 * @throws ValueFault beyond the range of a double; JsonFault for malformed numbers.
 */
export function doubleAt(bytes: Uint8Array, pos: number, end: number): DoubleRead {
  const negative = bytes[pos] === MINUS;
  const first = negative ? pos + 1 : pos;
  let at = first;
  let mantissa = 0;
  for (; at < end; at++) {
    const digit = (bytes[at] as number) - ZERO;
    if (digit < 0 || digit > 9) break;
    mantissa = mantissa * 10 + digit;
  }
  if (at === first) throw new JsonFault(at, "a digit");
  if (bytes[first] === ZERO && at - first > 1) throw new JsonFault(first + 1, "no digit after a leading zero");
  let scale = 0;
  if (at < end && bytes[at] === DOT) {
    const point = at++;
    for (; at < end; at++) {
      const digit = (bytes[at] as number) - ZERO;
      if (digit < 0 || digit > 9) break;
      mantissa = mantissa * 10 + digit;
    }
    scale = at - point - 1;
    if (scale === 0) throw new JsonFault(at, "a digit");
  }
  const marked = at < end && (bytes[at] === LETTER_e || bytes[at] === LETTER_E);
  if (marked || mantissa > Number.MAX_SAFE_INTEGER || scale > 22) return slowDouble(bytes, pos, end);
  const value = scale === 0 ? mantissa : mantissa / (POWERS[scale] as number);
  read.value[0] = negative ? -value : value;
  read.next = at;
  return read;
}

function slowDouble(bytes: Uint8Array, pos: number, end: number): DoubleRead {
  read.next = skipNumber(bytes, pos, end);
  const value = Number(asciiText(bytes, pos, read.next));
  if (!Number.isFinite(value)) throw new ValueFault(pos, "a number within the range of a double", "string");
  read.value[0] = value;
  return read;
}

/**
 * The double that a text names: a JSON number, a leading plus sign allowed, or `NaN`, `Infinity` and `-Infinity`, which JSON writers
 * quote. Null for anything else.
 */
export function doubleOfText(bytes: Uint8Array, start: number, end: number): number | null {
  const from = bytes[start] === PLUS ? start + 1 : start;
  const text = asciiText(bytes, from, end);
  if (text === "NaN") return NaN;
  if (text === "Infinity") return Infinity;
  if (text === "-Infinity") return -Infinity;
  if (!/^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(text)) return null;
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}
