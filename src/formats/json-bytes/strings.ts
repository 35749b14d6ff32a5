import type { BytesBuilder } from "../../../table-format/index.ts";
import { BACKSLASH, LETTER_u, PLAIN_ASCII, QUOTE, SPACE, STRING_BYTE } from "./ascii.ts";
import { JsonFault } from "./fault.ts";
import { hexQuad, simpleEscape, skipString } from "./skip.ts";
import { utf8Text } from "./text.ts";

/** A string's content: `start` to `end` of `bytes`. One object is reused, so take what is needed before the next call. */
export interface TextSlice {
  bytes: Uint8Array;
  start: number;
  end: number;
  /** The position after the closing quote, in the bytes that were read. */
  next: number;
}

const slice: TextSlice = { bytes: new Uint8Array(0), start: 0, end: 0, next: 0 };
let scratch = new Uint8Array(256);

/**
 * Appends the string whose opening quote is at `pos` to a column, unescaped, and returns the position after it.
 * @throws JsonFault for malformed strings, invalid UTF-8 and lone surrogates, which UTF-8 cannot hold.
 */
export function readString(bytes: Uint8Array, pos: number, end: number, builder: BytesBuilder): number {
  const text = textAt(bytes, pos, end);
  builder.appendBytes(text.bytes, text.start, text.end);
  return text.next;
}

/** The content of the string whose opening quote is at `pos`, in place where it has no escapes. Throws as `readString` does. */
export function textAt(bytes: Uint8Array, pos: number, end: number): TextSlice {
  const start = pos + 1;
  let at = start;
  while (at < end) {
    const byte = bytes[at] as number;
    if (STRING_BYTE[byte] === PLAIN_ASCII) {
      at++;
      continue;
    }
    if (byte === QUOTE) {
      slice.bytes = bytes;
      slice.start = start;
      slice.end = at;
      slice.next = at + 1;
      return slice;
    }
    if (byte === BACKSLASH) return unescapedText(bytes, pos, end);
    if (byte < SPACE) throw new JsonFault(at, "no control character in a string");
    at += utf8Length(bytes, at, end);
  }
  throw new JsonFault(pos, "a string that ends");
}

/** The string at `pos` as a JavaScript string. */
export function stringAt(bytes: Uint8Array, pos: number, end: number): string {
  const text = textAt(bytes, pos, end);
  return utf8Text(text.bytes, text.start, text.end);
}

function unescapedText(bytes: Uint8Array, pos: number, end: number): TextSlice {
  const next = skipString(bytes, pos, end);
  if (scratch.length < next - pos) scratch = new Uint8Array((next - pos) * 2);
  let at = 0;
  for (let from = pos + 1; from < next - 1;) {
    const written = copyUnit(bytes, from, next - 1, scratch, at);
    from += unitLength(bytes, from, written);
    at += written;
  }
  slice.bytes = scratch;
  slice.start = 0;
  slice.end = at;
  slice.next = next;
  return slice;
}

/** Writes the character at `pos` (plain, multi-byte or escaped) as UTF-8 and returns how many bytes that took. */
function copyUnit(bytes: Uint8Array, pos: number, end: number, out: Uint8Array, at: number): number {
  const byte = bytes[pos] as number;
  if (byte === BACKSLASH) return copyEscape(bytes, pos, end, out, at);
  if (byte < SPACE) throw new JsonFault(pos, "no control character in a string");
  const length = byte < 0x80 ? 1 : utf8Length(bytes, pos, end);
  for (let k = 0; k < length; k++) out[at + k] = bytes[pos + k] as number;
  return length;
}

/** How many bytes of input the character took of which `copyUnit` wrote `written` bytes. */
function unitLength(bytes: Uint8Array, pos: number, written: number): number {
  if (bytes[pos] !== BACKSLASH) return written;
  if (bytes[pos + 1] !== LETTER_u) return 2;
  return written === 4 ? 12 : 6;
}

function copyEscape(bytes: Uint8Array, pos: number, end: number, out: Uint8Array, at: number): number {
  if (pos + 1 >= end) throw new JsonFault(pos, "an escape of JSON");
  const letter = bytes[pos + 1] as number;
  if (letter !== LETTER_u) {
    const plain = simpleEscape(letter);
    if (plain < 0) throw new JsonFault(pos, "an escape of JSON");
    out[at] = plain;
    return 1;
  }
  const unit = pos + 6 <= end ? hexQuad(bytes, pos + 2) : -1;
  if (unit < 0) throw new JsonFault(pos, "four hexadecimal digits");
  if (unit < 0xd800 || unit > 0xdfff) return writeUtf8(unit, out, at);
  const paired = pos + 12 <= end && bytes[pos + 6] === BACKSLASH && bytes[pos + 7] === LETTER_u;
  const low = paired ? hexQuad(bytes, pos + 8) : -1;
  if (unit > 0xdbff || low < 0xdc00 || low > 0xdfff) throw new JsonFault(pos, "a pair of surrogates");
  return writeUtf8(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00), out, at);
}

function writeUtf8(point: number, out: Uint8Array, at: number): number {
  if (point < 0x80) {
    out[at] = point;
    return 1;
  }
  if (point < 0x800) {
    out[at] = 0xc0 | (point >> 6);
    out[at + 1] = 0x80 | (point & 0x3f);
    return 2;
  }
  if (point < 0x10000) {
    out[at] = 0xe0 | (point >> 12);
    out[at + 1] = 0x80 | ((point >> 6) & 0x3f);
    out[at + 2] = 0x80 | (point & 0x3f);
    return 3;
  }
  out[at] = 0xf0 | (point >> 18);
  out[at + 1] = 0x80 | ((point >> 12) & 0x3f);
  out[at + 2] = 0x80 | ((point >> 6) & 0x3f);
  out[at + 3] = 0x80 | (point & 0x3f);
  return 4;
}

/**
 * Length of the well-formed multi-byte sequence at `pos` (Unicode, table 3-7: no overlong forms, no surrogates, nothing past U+10FFFF).
 * @throws JsonFault when there is none.
 */
export function utf8Length(bytes: Uint8Array, pos: number, end: number): number {
  const lead = bytes[pos] as number;
  const second = bytes[pos + 1] as number;
  if (lead >= 0xc2 && lead <= 0xdf) {
    if (pos + 2 <= end && isContinuation(second)) return 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    const least = lead === 0xe0 ? 0xa0 : 0x80;
    const most = lead === 0xed ? 0x9f : 0xbf;
    if (pos + 3 <= end && second >= least && second <= most && isContinuation(bytes[pos + 2])) return 3;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    const least = lead === 0xf0 ? 0x90 : 0x80;
    const most = lead === 0xf4 ? 0x8f : 0xbf;
    const inside = pos + 4 <= end && second >= least && second <= most;
    if (inside && isContinuation(bytes[pos + 2]) && isContinuation(bytes[pos + 3])) return 4;
  }
  throw new JsonFault(pos, "valid UTF-8");
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

/** @throws JsonFault unless `start` to `end` is valid UTF-8. */
export function checkUtf8(bytes: Uint8Array, start: number, end: number): void {
  for (let pos = start; pos < end;) pos += (bytes[pos] as number) < 0x80 ? 1 : utf8Length(bytes, pos, end);
}
