import { FrazilError } from "../errors.ts";
import { MAX_JSON_DEPTH } from "../limits.ts";
import type { JsonValue } from "../metadata/table-metadata.ts";
import {
  type JsonReader,
  jsonReader,
  malformed,
  nextByte,
  readKey,
  readNumber,
  readString,
  readWord,
  skipSpace,
  take,
} from "./json-reader.ts";

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** An object without inherited members, as `Object.create(null)` makes it, whose own ones are kept as those of other objects: by shape. */
const Bare = function () {} as unknown as { new (): Record<string, JsonValue>; prototype: unknown };
Bare.prototype = Object.create(null);

/**
 * Reads an element of an array, at whose start the reader is, into what is made of it, and moves behind it; null, wherever the reader
 * is then, for one that holds anything unusual.
 */
export type ElementReader = (reader: JsonReader) => object | null;

/** Arrays of thousands whose elements are read without a tree between, by their key in an object; and objects that hold such. */
export interface ElementReaders extends ReadonlyMap<string, ElementReader | ElementReaders> {}

/**
 * Parses JSON (RFC 8259). Numbers without fraction and exponent become bigint, so that 64-bit ids survive; the others number.
 * Objects inherit nothing: a key such as `__proto__` is plain data. A repeated key keeps its last value.
 * @param source UTF-8, or a text
 * @param elements what these readers make stands in their arrays; an element of which they make nothing is parsed as all else
 * @throws FrazilError kind `corrupt` with the offset, in bytes of UTF-8, of the first that does not fit.
 */
export function parseJson(source: Uint8Array | string, elements: ElementReaders | null = null): JsonValue {
  const reader = jsonReader(source);
  skipSpace(reader);
  const value = readValue(reader, 0, elements);
  skipSpace(reader);
  if (reader.at !== reader.bytes.length) throw malformed(reader, "the end of the text");
  return value;
}

/**
 * Reads the value that comes next.
 * @param depth how many values it lies in
 */
export function readValue(reader: JsonReader, depth: number, elements: ElementReaders | null = null): JsonValue {
  if (depth > MAX_JSON_DEPTH) throw malformed(reader, `nesting of at most ${MAX_JSON_DEPTH} levels`);
  switch (nextByte(reader)) {
    case OPEN_OBJECT:
      return readObject(reader, depth, elements);
    case OPEN_ARRAY:
      return readArray(reader, depth, null);
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

function readObject(reader: JsonReader, depth: number, elements: ElementReaders | null): JsonValue {
  const object = new Bare();
  reader.at++;
  skipSpace(reader);
  if (take(reader, CLOSE_OBJECT)) return object;
  do {
    const key = readKey(reader);
    const inside = elements?.get(key) ?? null;
    if (typeof inside !== "function") object[key] = readValue(reader, depth + 1, inside);
    else if (nextByte(reader) === OPEN_ARRAY) object[key] = readArray(reader, depth + 1, inside);
    else object[key] = readValue(reader, depth + 1);
    skipSpace(reader);
  } while (take(reader, COMMA));
  if (!take(reader, CLOSE_OBJECT)) throw malformed(reader, '"," or "}"');
  return object;
}

function readArray(reader: JsonReader, depth: number, element: ElementReader | null): JsonValue {
  const array: JsonValue[] = [];
  reader.at++;
  skipSpace(reader);
  if (take(reader, CLOSE_ARRAY)) return array;
  do {
    skipSpace(reader);
    array.push(element === null ? readValue(reader, depth + 1) : readElement(reader, depth + 1, element));
    skipSpace(reader);
  } while (take(reader, COMMA));
  if (!take(reader, CLOSE_ARRAY)) throw malformed(reader, '"," or "]"');
  return array;
}

function readElement(reader: JsonReader, depth: number, element: ElementReader): JsonValue {
  const { at } = reader;
  const made = element(reader);
  if (made !== null) return made as JsonValue;
  reader.at = at;
  return readValue(reader, depth);
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
