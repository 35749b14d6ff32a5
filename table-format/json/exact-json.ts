import { FrazilError } from "../errors.ts";
import { MAX_JSON_DEPTH } from "../limits.ts";
import type { JsonValue } from "../metadata/table-metadata.ts";

/** Digits of an integer; int64 has 19, the rest is room for numbers that we only pass on. */
const MAX_INTEGER_DIGITS = 400;

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const SPACE = /[ \t\n\r]*/y;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE_CODE = 0x20;

interface Reader {
  readonly text: string;
  at: number;
}

/**
 * Parses JSON (RFC 8259). Numbers without fraction and exponent become bigint, so that 64-bit ids survive; the others number.
 * Objects have no prototype: a key such as `__proto__` is plain data. A repeated key keeps its last value.
 * @throws FrazilError kind `corrupt` with the offset of the first character that does not fit.
 */
export function parseJson(text: string): JsonValue {
  // A byte order mark is not JSON, but some tools write one.
  const reader: Reader = { text, at: text.charCodeAt(0) === 0xfeff ? 1 : 0 };
  skipSpace(reader);
  const value = readValue(reader, 0);
  skipSpace(reader);
  if (reader.at !== text.length) throw malformed(reader, "the end of the text");
  return value;
}

function readValue(reader: Reader, depth: number): JsonValue {
  if (depth > MAX_JSON_DEPTH) throw malformed(reader, `nesting of at most ${MAX_JSON_DEPTH} levels`);
  switch (reader.text[reader.at]) {
    case "{":
      return readObject(reader, depth);
    case "[":
      return readArray(reader, depth);
    case '"':
      return readString(reader);
    case "t":
      return readWord(reader, "true", true);
    case "f":
      return readWord(reader, "false", false);
    case "n":
      return readWord(reader, "null", null);
    default:
      return readNumber(reader);
  }
}

function readObject(reader: Reader, depth: number): JsonValue {
  const object = Object.create(null) as Record<string, JsonValue>;
  reader.at++;
  skipSpace(reader);
  if (take(reader, "}")) return object;
  do {
    skipSpace(reader);
    if (reader.text[reader.at] !== '"') throw malformed(reader, "a key in quotes");
    const key = readString(reader);
    if (!take(reader, ":")) throw malformed(reader, '":"');
    skipSpace(reader);
    object[key] = readValue(reader, depth + 1);
    skipSpace(reader);
  } while (take(reader, ","));
  if (!take(reader, "}")) throw malformed(reader, '"," or "}"');
  return object;
}

function readArray(reader: Reader, depth: number): JsonValue {
  const array: JsonValue[] = [];
  reader.at++;
  skipSpace(reader);
  if (take(reader, "]")) return array;
  do {
    skipSpace(reader);
    array.push(readValue(reader, depth + 1));
    skipSpace(reader);
  } while (take(reader, ","));
  if (!take(reader, "]")) throw malformed(reader, '"," or "]"');
  return array;
}

function readString(reader: Reader): string {
  const { text, at: start } = reader;
  let escaped = false;
  let end = start + 1;
  // A loop, since a regular expression overflows its stack on strings of megabytes.
  for (; text.charCodeAt(end) !== QUOTE; end++) {
    const unit = text.charCodeAt(end);
    if (unit === BACKSLASH) {
      escaped = true;
      end++;
    }
    if (!(unit >= SPACE_CODE))
      throw malformed({ text, at: end }, "a string without control characters and its closing quote");
  }
  reader.at = end + 1;
  const value = escaped ? unescape(reader, text.slice(start, end + 1), start) : text.slice(start + 1, end);
  skipSpace(reader);
  return value;
}

function unescape(reader: Reader, token: string, start: number): string {
  try {
    return JSON.parse(token) as string;
  } catch {
    throw malformed({ ...reader, at: start }, "a string with valid escapes");
  }
}

function readNumber(reader: Reader): number | bigint {
  NUMBER.lastIndex = reader.at;
  const token = NUMBER.exec(reader.text)?.[0];
  if (token === undefined) throw malformed(reader, "a value");
  if (/[.eE]/.test(token)) {
    const value = Number(token);
    // A literal beyond the range of a double would come back as Infinity, which JSON cannot write.
    if (!Number.isFinite(value)) throw malformed(reader, "a number within the range of a double");
    reader.at += token.length;
    return value;
  }
  if (token.length > MAX_INTEGER_DIGITS) throw malformed(reader, `at most ${MAX_INTEGER_DIGITS} digits`);
  reader.at += token.length;
  return BigInt(token);
}

function readWord<T>(reader: Reader, word: string, value: T): T {
  if (!reader.text.startsWith(word, reader.at)) throw malformed(reader, word);
  reader.at += word.length;
  return value;
}

/** Moves over `char` when it comes next. */
function take(reader: Reader, char: string): boolean {
  if (reader.text[reader.at] !== char) return false;
  reader.at++;
  return true;
}

function skipSpace(reader: Reader): void {
  if (reader.text.charCodeAt(reader.at) > 0x20) return;
  SPACE.lastIndex = reader.at;
  reader.at += SPACE.exec(reader.text)?.[0].length ?? 0;
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
