import {
  BACKSLASH,
  CARRIAGE_RETURN,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  DOT,
  ENDS_RUN,
  isDigit,
  LETTER_E,
  LETTER_e,
  LETTER_f,
  LETTER_n,
  LETTER_t,
  LETTER_u,
  LINE_FEED,
  MINUS,
  NINE,
  OPEN_BRACE,
  OPEN_BRACKET,
  PLUS,
  QUOTE,
  SPACE,
  STRING_BYTE,
  TAB,
  ZERO,
} from "./ascii.ts";
import { JsonFault } from "./fault.ts";

/** Nesting beyond this is refused: no database row needs it, and a bound keeps hostile input cheap. */
export const MAX_DEPTH = 256;

/** Kind of each open container: its closing byte. */
const open = new Uint8Array(MAX_DEPTH);

/** The first position from `pos` on that is not white space. */
export function skipSpace(bytes: Uint8Array, pos: number, end: number): number {
  while (pos < end) {
    const byte = bytes[pos];
    if (byte !== SPACE && byte !== LINE_FEED && byte !== CARRIAGE_RETURN && byte !== TAB) break;
    pos++;
  }
  return pos;
}

/**
 * The position after the value that starts at `pos` (no white space before it). Checks the whole grammar but for UTF-8 inside
 * strings, and makes nothing.
 * @throws JsonFault also beyond `MAX_DEPTH`.
 */
export function skipValue(bytes: Uint8Array, pos: number, end: number): number {
  let depth = 0;
  for (;;) {
    if (pos >= end) throw new JsonFault(end, "a value");
    const byte = bytes[pos] as number;
    if (byte === QUOTE) {
      pos = skipString(bytes, pos, end);
    } else if (byte === MINUS || (byte >= ZERO && byte <= NINE)) {
      pos = skipNumber(bytes, pos, end);
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (depth === MAX_DEPTH) throw new JsonFault(pos, `at most ${MAX_DEPTH} levels`);
      const close = byte === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET;
      pos = skipSpace(bytes, pos + 1, end);
      if (pos >= end || bytes[pos] !== close) {
        open[depth++] = close;
        if (close === CLOSE_BRACE) pos = skipKey(bytes, pos, end);
        continue;
      }
      pos++;
    } else {
      pos = skipLiteral(bytes, pos, end);
    }
    while (depth > 0) {
      let next = bytes[pos];
      if (next !== COMMA && next !== open[depth - 1]) {
        pos = skipSpace(bytes, pos, end);
        next = bytes[pos];
      }
      if (pos >= end) throw new JsonFault(end, "the end of an object or array");
      if (next === COMMA) {
        pos = skipSpace(bytes, pos + 1, end);
        if (open[depth - 1] === CLOSE_BRACE) pos = skipKey(bytes, pos, end);
        break;
      }
      if (next !== open[depth - 1])
        throw new JsonFault(pos, `"," or "${String.fromCharCode(open[depth - 1] as number)}"`);
      pos++;
      depth--;
    }
    if (depth === 0) return pos;
  }
}

/** From a key's quote to the start of its value. */
export function skipKey(bytes: Uint8Array, pos: number, end: number): number {
  if (pos >= end || bytes[pos] !== QUOTE) throw new JsonFault(pos, "a key");
  return skipColon(bytes, skipString(bytes, pos, end), end);
}

/** From the end of a key to the start of its value. */
export function skipColon(bytes: Uint8Array, pos: number, end: number): number {
  if (bytes[pos] !== COLON) pos = skipSpace(bytes, pos, end);
  if (pos >= end || bytes[pos] !== COLON) throw new JsonFault(pos, '":"');
  pos++;
  return (bytes[pos] as number) > SPACE ? pos : skipSpace(bytes, pos, end);
}

/** The position after the string whose opening quote is at `pos`. */
export function skipString(bytes: Uint8Array, pos: number, end: number): number {
  const start = pos++;
  while (pos < end) {
    const byte = bytes[pos] as number;
    if (STRING_BYTE[byte] !== ENDS_RUN) {
      pos++;
      continue;
    }
    if (byte === QUOTE) return pos + 1;
    if (byte === BACKSLASH) pos = skipEscape(bytes, pos, end);
    else throw new JsonFault(pos, "no control character in a string");
  }
  throw new JsonFault(start, "a string that ends");
}

function skipEscape(bytes: Uint8Array, pos: number, end: number): number {
  const kind = bytes[pos + 1] as number;
  if (pos + 1 < end) {
    if (kind === LETTER_u) {
      if (pos + 6 <= end && hexQuad(bytes, pos + 2) >= 0) return pos + 6;
    } else if (simpleEscape(kind) >= 0) {
      return pos + 2;
    }
  }
  throw new JsonFault(pos, "an escape of JSON");
}

/** The byte that a one-letter escape stands for, or -1. */
export function simpleEscape(letter: number): number {
  switch (letter) {
    case QUOTE:
    case BACKSLASH:
    case 0x2f:
      return letter;
    case 0x62:
      return 0x08;
    case LETTER_f:
      return 0x0c;
    case LETTER_n:
      return LINE_FEED;
    case 0x72:
      return CARRIAGE_RETURN;
    case LETTER_t:
      return TAB;
    default:
      return -1;
  }
}

/** The number that four hexadecimal digits at `pos` make, or -1. */
export function hexQuad(bytes: Uint8Array, pos: number): number {
  let value = 0;
  for (let k = pos; k < pos + 4; k++) {
    const digit = hexDigit(bytes[k] as number);
    if (digit < 0) return -1;
    value = (value << 4) | digit;
  }
  return value;
}

/** The value of a hexadecimal digit, or -1. */
export function hexDigit(byte: number): number {
  if (byte >= ZERO && byte <= NINE) return byte - ZERO;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= LETTER_f ? lower - 0x57 : -1;
}

/** The position after the number at `pos`. */
export function skipNumber(bytes: Uint8Array, pos: number, end: number): number {
  if (bytes[pos] === MINUS) pos++;
  if (bytes[pos] === ZERO) {
    pos++;
    if (pos < end && isDigit(bytes[pos])) throw new JsonFault(pos, "no digit after a leading zero");
  } else {
    pos = skipDigits(bytes, pos, end);
  }
  if (pos < end && bytes[pos] === DOT) pos = skipDigits(bytes, pos + 1, end);
  if (pos < end && (bytes[pos] === LETTER_e || bytes[pos] === LETTER_E)) {
    pos++;
    if (bytes[pos] === PLUS || bytes[pos] === MINUS) pos++;
    pos = skipDigits(bytes, pos, end);
  }
  if (pos > end) throw new JsonFault(end, "a digit");
  return pos;
}

function skipDigits(bytes: Uint8Array, pos: number, end: number): number {
  const start = pos;
  while (pos < end) {
    const byte = bytes[pos] as number;
    if (byte < ZERO || byte > NINE) break;
    pos++;
  }
  if (pos === start) throw new JsonFault(Math.min(pos, end), "a digit");
  return pos;
}

/** The position after `true`, `false` or `null` at `pos`. */
export function skipLiteral(bytes: Uint8Array, pos: number, end: number): number {
  const first = bytes[pos];
  const length = first === LETTER_f ? 5 : 4;
  const known =
    first === LETTER_n
      ? word(bytes, pos, 0x75, 0x6c, 0x6c)
      : first === LETTER_t
        ? word(bytes, pos, 0x72, 0x75, 0x65)
        : first === LETTER_f && word(bytes, pos, 0x61, 0x6c, 0x73) && bytes[pos + 4] === LETTER_e;
  if (pos + length > end || !known) throw new JsonFault(pos, "a value");
  return pos + length;
}

function word(bytes: Uint8Array, pos: number, second: number, third: number, fourth: number): boolean {
  return bytes[pos + 1] === second && bytes[pos + 2] === third && bytes[pos + 3] === fourth;
}
