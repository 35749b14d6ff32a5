import { FrazilError } from "../errors.ts";
import { MAX_JSON_DEPTH } from "../limits.ts";
import type { JsonValue } from "../metadata/table-metadata.ts";
import { toInt64 } from "../values/int64.ts";

/** Digits of an integer; int64 has 19, the rest is room for numbers that we only pass on. */
const MAX_INTEGER_DIGITS = 400;

/** The most that a double holds exactly whatever they are. */
const EXACT_DIGITS = 15;

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const COMMA = 0x2c;
const COLON = 0x3a;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const LOWER_E = 0x65;
const UPPER_E = 0x45;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Keys repeat from object to object: so many are remembered, and found again without a new string. */
const KEYS_KEPT = 512;

interface Reader {
  readonly text: string;
  at: number;
  readonly keys: (string | undefined)[];
  /** Below which member of the document, and under which key, objects of strings are left as text. */
  readonly deferred: { readonly within: string; readonly key: string } | null;
  /** The key that is deferred where the reader is now. */
  deferredKey: string | null;
}

/** An object whose values all are strings, which is taken apart when it is asked for. */
export class JsonStrings {
  readonly #text: string;

  /** @param text of the object, which was read once */
  constructor(text: string) {
    this.#text = text;
  }

  read(): Map<string, string> {
    return new Map(Object.entries(parseJson(this.#text) as Readonly<Record<string, string>>));
  }
}

/** An object without inherited members, as `Object.create(null)` makes it, whose own ones are kept as those of other objects: by shape. */
const Bare = function () {} as unknown as { new (): Record<string, JsonValue>; prototype: unknown };
Bare.prototype = Object.create(null);

/**
 * Parses JSON (RFC 8259). Numbers without fraction and exponent become bigint, so that 64-bit ids survive; the others number.
 * Objects inherit nothing: a key such as `__proto__` is plain data. A repeated key keeps its last value.
 * @param deferred names objects that are many and seldom looked at: below the member `within` of the document, objects of strings under
 *   `key` are checked and given as `JsonStrings`, which `JsonFields` reads
 * @throws FrazilError kind `corrupt` with the offset of the first character that does not fit.
 */
export function parseJson(text: string, deferred: Reader["deferred"] = null): JsonValue {
  // A byte order mark is not JSON, but some tools write one.
  const reader: Reader = {
    text,
    at: text.charCodeAt(0) === 0xfeff ? 1 : 0,
    keys: new Array<string | undefined>(KEYS_KEPT),
    deferred,
    deferredKey: null,
  };
  skipSpace(reader);
  const value = readValue(reader, 0);
  skipSpace(reader);
  if (reader.at !== text.length) throw malformed(reader, "the end of the text");
  return value;
}

function readValue(reader: Reader, depth: number): JsonValue {
  if (depth > MAX_JSON_DEPTH) throw malformed(reader, `nesting of at most ${MAX_JSON_DEPTH} levels`);
  switch (reader.text.charCodeAt(reader.at)) {
    case OPEN_OBJECT:
      return readObject(reader, depth);
    case OPEN_ARRAY:
      return readArray(reader, depth);
    case QUOTE:
      return readString(reader);
    case 0x74:
      return readWord(reader, "true", true);
    case 0x66:
      return readWord(reader, "false", false);
    case 0x6e:
      return readWord(reader, "null", null);
    default:
      return readNumber(reader);
  }
}

function readObject(reader: Reader, depth: number): JsonValue {
  const object = new Bare();
  reader.at++;
  skipSpace(reader);
  if (take(reader, CLOSE_OBJECT)) return object;
  do {
    skipSpace(reader);
    if (reader.text.charCodeAt(reader.at) !== QUOTE) throw malformed(reader, "a key in quotes");
    const key = readKey(reader);
    skipSpace(reader);
    if (!take(reader, COLON)) throw malformed(reader, '":"');
    skipSpace(reader);
    object[key] = readMember(reader, key, depth + 1);
    skipSpace(reader);
  } while (take(reader, COMMA));
  if (!take(reader, CLOSE_OBJECT)) throw malformed(reader, '"," or "}"');
  return object;
}

function readMember(reader: Reader, key: string, depth: number): JsonValue {
  const { deferred } = reader;
  if (deferred === null) return readValue(reader, depth);
  if (depth === 1) reader.deferredKey = key === deferred.within ? deferred.key : null;
  const start = reader.at;
  if (key !== reader.deferredKey || !skipStrings(reader)) return readValue(reader, depth);
  return new JsonStrings(reader.text.slice(start, reader.at)) as unknown as JsonValue;
}

/** Moves over an object of strings, if there is one. */
function skipStrings(reader: Reader): boolean {
  const start = reader.at;
  if (take(reader, OPEN_OBJECT)) {
    skipSpace(reader);
    if (take(reader, CLOSE_OBJECT)) return true;
    while (skipString(reader) && take(reader, COLON) && skipString(reader)) {
      if (take(reader, CLOSE_OBJECT)) return true;
      if (!take(reader, COMMA)) break;
    }
  }
  reader.at = start;
  return false;
}

/** Moves over a string and the space around it, if there is one that holds nothing unusual. */
function skipString(reader: Reader): boolean {
  skipSpace(reader);
  const { text } = reader;
  let at = reader.at;
  if (text.charCodeAt(at) !== QUOTE) return false;
  for (let unit = text.charCodeAt(++at); unit !== QUOTE; unit = text.charCodeAt(++at)) {
    if (!(unit >= SPACE)) return false;
    if (unit !== BACKSLASH) continue;
    unit = text.charCodeAt(++at);
    // What JSON has most behind a backslash is a quote; the other escapes may be wrong ones.
    if (unit !== QUOTE && unit !== BACKSLASH) return false;
  }
  reader.at = at + 1;
  skipSpace(reader);
  return true;
}

function readArray(reader: Reader, depth: number): JsonValue {
  const array: JsonValue[] = [];
  reader.at++;
  skipSpace(reader);
  if (take(reader, CLOSE_ARRAY)) return array;
  do {
    skipSpace(reader);
    array.push(readValue(reader, depth + 1));
    skipSpace(reader);
  } while (take(reader, COMMA));
  if (!take(reader, CLOSE_ARRAY)) throw malformed(reader, '"," or "]"');
  return array;
}

function readKey(reader: Reader): string {
  const { text, at: start, keys } = reader;
  let hash = 0;
  let end = start + 1;
  let unit = text.charCodeAt(end);
  // The end of the text gives NaN, which is not above the limit, either.
  while (unit !== QUOTE && unit !== BACKSLASH && unit >= SPACE) {
    hash = (hash * 31 + unit) | 0;
    unit = text.charCodeAt(++end);
  }
  if (unit !== QUOTE) return readString(reader);
  reader.at = end + 1;
  const slot = hash & (KEYS_KEPT - 1);
  const known = keys[slot];
  if (known !== undefined && known.length === end - start - 1 && text.startsWith(known, start + 1)) return known;
  const key = text.slice(start + 1, end);
  keys[slot] = key;
  return key;
}

function readString(reader: Reader): string {
  const { text, at: start } = reader;
  let escaped = false;
  let end = start + 1;
  // A loop, since a regular expression overflows its stack on strings of megabytes.
  for (let unit = text.charCodeAt(end); unit !== QUOTE; unit = text.charCodeAt(++end)) {
    if (unit === BACKSLASH) {
      escaped = true;
      end++;
    }
    if (!(unit >= SPACE))
      throw malformed({ ...reader, at: end }, "a string without control characters and its closing quote");
  }
  reader.at = end + 1;
  return escaped ? unescape(reader, text.slice(start, end + 1), start) : text.slice(start + 1, end);
}

function unescape(reader: Reader, token: string, start: number): string {
  try {
    return JSON.parse(token) as string;
  } catch {
    throw malformed({ ...reader, at: start }, "a string with valid escapes");
  }
}

function readNumber(reader: Reader): number | bigint {
  const { text, at: start } = reader;
  const isNegative = text.charCodeAt(start) === MINUS;
  const first = isNegative ? start + 1 : start;
  let end = first;
  let value = 0;
  let unit = text.charCodeAt(end);
  while (unit >= ZERO && unit <= NINE) {
    value = value * 10 + unit - ZERO;
    unit = text.charCodeAt(++end);
  }
  const digits = end - first;
  const isInteger = digits === 1 || (digits > 1 && text.charCodeAt(first) !== ZERO);
  if (!isInteger || unit === POINT || unit === LOWER_E || unit === UPPER_E) return readFraction(reader);
  if (digits > MAX_INTEGER_DIGITS) throw malformed(reader, `at most ${MAX_INTEGER_DIGITS} digits`);
  reader.at = end;
  return digits <= EXACT_DIGITS ? toInt64(isNegative ? -value : value) : BigInt(text.slice(start, end));
}

/** A number with a fraction or an exponent, or what looks like a number at first. */
function readFraction(reader: Reader): number {
  NUMBER.lastIndex = reader.at;
  const token = NUMBER.exec(reader.text)?.[0];
  if (token === undefined) throw malformed(reader, "a value");
  const value = Number(token);
  // A literal beyond the range of a double would come back as Infinity, which JSON cannot write.
  if (!Number.isFinite(value)) throw malformed(reader, "a number within the range of a double");
  reader.at += token.length;
  // No fraction in what starts as a number, such as 1 in 1.x and 0 in 01: what follows it is refused.
  return value;
}

function readWord<T>(reader: Reader, word: string, value: T): T {
  if (!reader.text.startsWith(word, reader.at)) throw malformed(reader, word);
  reader.at += word.length;
  return value;
}

/** Moves over a character when it comes next. */
function take(reader: Reader, unit: number): boolean {
  if (reader.text.charCodeAt(reader.at) !== unit) return false;
  reader.at++;
  return true;
}

function skipSpace(reader: Reader): void {
  const { text } = reader;
  for (;;) {
    const unit = text.charCodeAt(reader.at);
    if (unit !== SPACE && unit !== LINE_FEED && unit !== CARRIAGE_RETURN && unit !== TAB) return;
    reader.at++;
  }
}

function malformed(reader: Reader, expected: string): FrazilError {
  const found =
    reader.at < reader.text.length ? JSON.stringify(reader.text.slice(reader.at, reader.at + 12)) : "the end";
  return new FrazilError("corrupt", "MALFORMED_JSON", `offset ${reader.at}: expected ${expected}, found ${found}`);
}

/** JSON without spaces; `parseJson` gives the same value back (a number that is whole keeps its fraction: `1.0`). */
export function jsonText(value: JsonValue): string {
  switch (typeof value) {
    case "bigint":
      return String(value);
    case "number":
      return numberText(value);
    case "object":
      if (value === null) return "null";
      return Array.isArray(value)
        ? `[${value.map(jsonText).join(",")}]`
        : `{${Object.entries(value)
            .map(([key, member]) => `${JSON.stringify(key)}:${jsonText(member)}`)
            .join(",")}}`;
    default:
      return JSON.stringify(value);
  }
}

function numberText(value: number): string {
  if (!Number.isFinite(value)) throw new FrazilError("internal", "ASSERTION", `${value} has no JSON form`);
  const text = Object.is(value, -0) ? "-0" : String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}
