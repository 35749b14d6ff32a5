import { type AsciiParts, asciiParts } from "../codec/ascii.ts";
import { FrazilError } from "../errors.ts";
import { fromDecimal, toInt64 } from "../values/int64.ts";

/** Digits of an integer; int64 has 19, the rest is room for numbers that we only pass on. */
const MAX_INTEGER_DIGITS = 400;
/** The most that a double holds exactly whatever they are. */
const EXACT_DIGITS = 15;
/** Of int64. */
const MOST_INT64_DIGITS = 19;
/** The most that are added up in 32 bits, which takes half as long as in a double. */
const INT_DIGITS = 9;

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const COLON = 0x3a;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const LOWER_E = 0x65;
const UPPER_E = 0x45;
const COMMA = 0x2c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
/** Bytes of a fraction and an exponent. */
const FRACTION: ReadonlySet<number> = new Set(new TextEncoder().encode("0123456789.eE+-"));

/** What a byte is within a string. */
const ORDINARY = 0;
const CLOSING = 1;
const ESCAPE = 2;
const CONTROL = 3;
const BEYOND_ASCII = 4;
const KINDS = new Uint8Array(256).fill(CONTROL, 0, SPACE).fill(BEYOND_ASCII, 0x80);
KINDS[QUOTE] = CLOSING;
KINDS[BACKSLASH] = ESCAPE;

/** Keys repeat from object to object: so many are remembered, and found again without a new string. */
const KEYS_KEPT = 512;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A place in a JSON text (RFC 8259), which the functions below read from and move on. */
export interface JsonReader {
  readonly bytes: Uint8Array;
  readonly ascii: AsciiParts;
  at: number;
  /** Where the last string that is not ASCII ended. */
  wideAt: number;
  /** Keys by a hash, and where each was first met. */
  readonly keys: (string | undefined)[];
  readonly keyStarts: Int32Array;
}

/** A reader of UTF-8, or of a text. A byte order mark is not JSON, but some tools write one: it is passed over. */
export function jsonReader(source: Uint8Array | string): JsonReader {
  const bytes = typeof source === "string" ? new TextEncoder().encode(source) : source;
  const isMarked = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  return {
    bytes,
    ascii: asciiParts(bytes),
    at: isMarked ? 3 : 0,
    wideAt: -1,
    keys: new Array<string | undefined>(KEYS_KEPT),
    keyStarts: new Int32Array(KEYS_KEPT),
  };
}

export function skipSpace(reader: JsonReader): void {
  const { bytes } = reader;
  let { at } = reader;
  for (; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte !== SPACE && byte !== LINE_FEED && byte !== CARRIAGE_RETURN && byte !== TAB) break;
  }
  reader.at = at;
}

/** The byte that comes next; -1 at the end. */
export function nextByte({ bytes, at }: JsonReader): number {
  return at < bytes.length ? (bytes[at] as number) : -1;
}

/** Moves over a byte when it comes next. */
export function take(reader: JsonReader, byte: number): boolean {
  if (nextByte(reader) !== byte) return false;
  reader.at++;
  return true;
}

/** Reads a key, and what parts it from its value. */
export function readKey(reader: JsonReader): string {
  skipSpace(reader);
  if (nextByte(reader) !== QUOTE) throw malformed(reader, "a key in quotes");
  const key = readName(reader);
  skipSpace(reader);
  if (!take(reader, COLON)) throw malformed(reader, '":"');
  skipSpace(reader);
  return key;
}

function readName(reader: JsonReader): string {
  const { bytes, keys, keyStarts } = reader;
  const start = reader.at + 1;
  let hash = 0;
  let end = start;
  while (end < bytes.length && KINDS[bytes[end] as number] === ORDINARY) {
    hash = (Math.imul(hash, 31) + (bytes[end] as number)) | 0;
    end++;
  }
  if (bytes[end] !== QUOTE) return readString(reader);
  reader.at = end + 1;
  const slot = hash & (KEYS_KEPT - 1);
  const known = keys[slot];
  const knownStart = keyStarts[slot] as number;
  if (known !== undefined && known.length === end - start && isRepeated(bytes, knownStart, start, end)) return known;
  const key = internalized(reader.ascii(start, end));
  keys[slot] = key;
  keyStarts[slot] = start;
  return key;
}

/** Whether the bytes from `start` to `end` are those from `before` on. */
function isRepeated(bytes: Uint8Array, before: number, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] !== bytes[before + at - start]) return false;
  return true;
}

/** The same string as a name of a property: two of those are compared by their place alone. */
function internalized(key: string): string {
  return Object.keys({ [key]: null })[0] as string;
}

/** Reads a string, at whose opening quote the reader is. */
export function readString(reader: JsonReader): string {
  const start = reader.at;
  const isEscaped = passString(reader);
  const { at } = reader;
  if (reader.wideAt <= start) {
    return isEscaped ? unescaped(reader, reader.ascii(start, at), start) : reader.ascii(start + 1, at - 1);
  }
  const token = wideText(reader, start);
  return isEscaped ? unescaped(reader, token, start) : token.slice(1, -1);
}

function unescaped(reader: JsonReader, token: string, start: number): string {
  try {
    return JSON.parse(token) as string;
  } catch {
    throw malformed(reader, "a string with valid escapes", start);
  }
}

/** The text from an offset to where the reader is. */
function wideText(reader: JsonReader, start: number): string {
  try {
    return utf8.decode(reader.bytes.subarray(start, reader.at));
  } catch {
    throw malformed(reader, "UTF-8", start);
  }
}

/** @throws FrazilError when what strings lie between an offset and where the reader is are not UTF-8 */
export function checkWide(reader: JsonReader, start: number): void {
  if (reader.wideAt > start) wideText(reader, start);
}

/** Moves over a string, and says whether there are escapes in it. A loop, since a regular expression overflows its stack on megabytes. */
function passString(reader: JsonReader): boolean {
  const { bytes } = reader;
  let isEscaped = false;
  let isWide = false;
  let at = reader.at + 1;
  for (; at < bytes.length; at++) {
    const kind = KINDS[bytes[at] as number];
    if (kind === ORDINARY) continue;
    if (kind === CLOSING) {
      reader.at = at + 1;
      if (isWide) reader.wideAt = at + 1;
      return isEscaped;
    }
    if (kind === CONTROL) break;
    if (kind === BEYOND_ASCII) isWide = true;
    else {
      isEscaped = true;
      at++;
    }
  }
  throw malformed(reader, "a string without control characters and its closing quote", Math.min(at, bytes.length));
}

/** Moves over an object of strings, if there is one that holds nothing unusual. */
export function passStrings(reader: JsonReader): boolean {
  if (!take(reader, OPEN_OBJECT)) return false;
  skipSpace(reader);
  if (take(reader, CLOSE_OBJECT)) return true;
  const { bytes } = reader;
  let isKey = true;
  while (nextByte(reader) === QUOTE) {
    let at = endOfPlainString(reader, reader.at + 1);
    // Mostly there is no space between strings, and what parts them is one byte.
    while (at > 0 && bytes[at + 1] === QUOTE && bytes[at] === (isKey ? COLON : COMMA)) {
      isKey = !isKey;
      at = endOfPlainString(reader, at + 2);
    }
    if (at < 0) return false;
    reader.at = at;
    skipSpace(reader);
    if (!isKey && take(reader, CLOSE_OBJECT)) return true;
    if (!take(reader, isKey ? COLON : COMMA)) return false;
    isKey = !isKey;
    skipSpace(reader);
  }
  return false;
}

/** Where a string ends, from behind its opening quote on; -1 when it holds anything unusual. */
function endOfPlainString(reader: JsonReader, start: number): number {
  const { bytes } = reader;
  for (let at = start; at < bytes.length; at++) {
    const kind = KINDS[bytes[at] as number];
    if (kind === ORDINARY) continue;
    if (kind === CLOSING) return at + 1;
    if (kind === CONTROL) return -1;
    if (kind === BEYOND_ASCII) reader.wideAt = at + 1;
    else {
      at++;
      // What JSON has most behind a backslash is a quote; the other escapes may be wrong ones.
      if (bytes[at] !== QUOTE && bytes[at] !== BACKSLASH) return -1;
    }
  }
  return -1;
}

/** Reads a number: bigint when it has neither fraction nor exponent. */
export function readNumber(reader: JsonReader): number | bigint {
  const { bytes, at: start } = reader;
  const isNegative = nextByte(reader) === MINUS;
  const first = isNegative ? start + 1 : start;
  const end = endOfDigits(bytes, first);
  const digits = end - first;
  if (digits === 0 || (digits > 1 && bytes[first] === ZERO) || isFraction(bytes, end)) return readFraction(reader, end);
  if (digits > MAX_INTEGER_DIGITS) throw malformed(reader, `at most ${MAX_INTEGER_DIGITS} digits`);
  reader.at = end;
  if (digits > EXACT_DIGITS) return BigInt(reader.ascii(start, end));
  const value = digitsValue(bytes, first, end);
  return toInt64(isNegative ? -value : value);
}

/** Reads an int64 without a sign; null, and the reader stays, when there is something else. */
export function readInt64(reader: JsonReader): bigint | null {
  const { bytes, at: start } = reader;
  const end = endOfDigits(bytes, start);
  const digits = end - start;
  if (digits === 0 || digits > MOST_INT64_DIGITS || (digits > 1 && bytes[start] === ZERO) || isFraction(bytes, end)) {
    return null;
  }
  let value: bigint;
  if (digits <= EXACT_DIGITS) value = toInt64(digitsValue(bytes, start, end));
  else {
    value = fromDecimal(digitsValue(bytes, start, end - INT_DIGITS), intValue(bytes, end - INT_DIGITS, end));
    // Beyond int64 it comes out negative: 19 digits are below 2^64.
    if (value < 0n) return null;
  }
  reader.at = end;
  return value;
}

function endOfDigits(bytes: Uint8Array, start: number): number {
  let end = start;
  while (end < bytes.length && (bytes[end] as number) >= ZERO && (bytes[end] as number) <= NINE) end++;
  return end;
}

/** Of at most 15 digits. */
function digitsValue(bytes: Uint8Array, start: number, end: number): number {
  if (end - start <= INT_DIGITS) return intValue(bytes, start, end);
  return intValue(bytes, start, end - INT_DIGITS) * 1e9 + intValue(bytes, end - INT_DIGITS, end);
}

function intValue(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at++) value = (Math.imul(value, 10) + (bytes[at] as number) - ZERO) | 0;
  return value;
}

/** Whether digits are the start of a number with a fraction or an exponent. */
function isFraction(bytes: Uint8Array, end: number): boolean {
  if (end >= bytes.length) return false;
  const byte = bytes[end];
  return byte === POINT || byte === LOWER_E || byte === UPPER_E;
}

/** A number with a fraction or an exponent, or what looks like a number at first. */
function readFraction(reader: JsonReader, endOfWhole: number): number {
  const token = NUMBER.exec(reader.ascii(reader.at, endOfFraction(reader.bytes, endOfWhole)))?.[0];
  if (token === undefined) throw malformed(reader, "a value");
  const value = Number(token);
  // A literal beyond the range of a double would come back as Infinity, which JSON cannot write.
  if (!Number.isFinite(value)) throw malformed(reader, "a number within the range of a double");
  reader.at += token.length;
  // No fraction in what starts as a number, such as 1 in 1.x and 0 in 01: what follows it is refused.
  return value;
}

function endOfFraction(bytes: Uint8Array, start: number): number {
  let end = start;
  while (end < bytes.length && FRACTION.has(bytes[end] as number)) end++;
  return end;
}

/** Reads one of the words of JSON. */
export function readWord<T>(reader: JsonReader, word: string, value: T): T {
  const end = Math.min(reader.at + word.length, reader.bytes.length);
  if (reader.ascii(reader.at, end) !== word) throw malformed(reader, word);
  reader.at = end;
  return value;
}

/** An error at an offset in bytes, by default the reader's. */
export function malformed(reader: JsonReader, expected: string, at = reader.at): FrazilError {
  const rest = new TextDecoder().decode(reader.bytes.subarray(at, at + 12));
  const found = rest === "" ? "the end" : JSON.stringify(rest);
  return new FrazilError("corrupt", "MALFORMED_JSON", `offset ${at}: expected ${expected}, found ${found}`);
}
