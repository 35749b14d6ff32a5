import { FrazilError } from "../errors.ts";
import { MAX_VARIANT_DEPTH } from "../limits.ts";
import { compareBytes } from "../values/single-value.ts";
import { Basic, Primitive } from "./layout.ts";
import type { VariantValue } from "./value.ts";
import { Variant } from "./variant.ts";

const utf8 = new TextEncoder();
const LONGEST_SHORT_STRING = 63;

/** A variant value that holds null. */
export const NULL_VALUE: Uint8Array = Uint8Array.of(0);

/**
 * Makes a variant, with a sorted dictionary of the names that it uses.
 * @throws FrazilError `data` for numbers that do not fit their type, and for more levels than are read
 */
export function encodeVariant(value: VariantValue): Variant {
  const names = new Set<string>();
  collectNames(value, names, 1);
  const sorted = [...names].map((name) => ({ name, bytes: utf8.encode(name) })).sort(byBytes);
  const ids = new Map(sorted.map(({ name }, id) => [name, id]));
  return new Variant(metadataBytes(sorted.map(({ bytes }) => bytes)), encode(value, ids));
}

function collectNames(value: VariantValue, names: Set<string>, depth: number): void {
  if (value.kind !== "object" && value.kind !== "array") return;
  if (depth > MAX_VARIANT_DEPTH) throw wrong(`at most ${MAX_VARIANT_DEPTH} levels of objects and arrays`, "more");
  const parts = value.kind === "array" ? value.items : value.fields.values();
  if (value.kind === "object") for (const name of value.fields.keys()) names.add(name);
  for (const part of parts) collectNames(part, names, depth + 1);
}

function encode(value: VariantValue, ids: ReadonlyMap<string, number>): Uint8Array {
  switch (value.kind) {
    case "object":
      return objectBytes(
        Array.from(value.fields, ([name, part]) => ({ name, id: ids.get(name) as number, bytes: encode(part, ids) })),
      );
    case "array":
      return arrayBytes(value.items.map((item) => encode(item, ids)));
    default:
      return primitiveBytes(value);
  }
}

/** The metadata of names in the order of their UTF-8 bytes, each once. */
function metadataBytes(names: readonly Uint8Array[]): Uint8Array {
  const total = names.reduce((sum, { length }) => sum + length, 0);
  const width = widthOf(Math.max(total, names.length));
  const out = new ByteSink(1 + (names.length + 2) * width + total);
  // Version 1, sorted.
  out.unsigned(1 | (1 << 4) | ((width - 1) << 6), 1);
  out.unsigned(names.length, width);
  out.offsets(names, width);
  for (const name of names) out.bytes(name);
  return out.done();
}

/** A field of an object: the id of its name, and its value. */
export interface EncodedField {
  readonly name: string;
  readonly id: number;
  readonly bytes: Uint8Array;
}

/** An object of fields with different names, in any order. */
export function objectBytes(fields: readonly EncodedField[]): Uint8Array {
  const sorted = fields.map(({ name, id, bytes }) => ({ bytes: utf8.encode(name), id, value: bytes })).sort(byBytes);
  const values = sorted.map(({ value }) => value);
  const idWidth = widthOf(sorted.reduce((most, { id }) => Math.max(most, id), 0));
  const total = sizeOf(values);
  const offsetWidth = widthOf(total);
  const isLarge = sorted.length > 0xff;
  const header = (offsetWidth - 1) | ((idWidth - 1) << 2) | (isLarge ? 1 << 4 : 0);
  const out = new ByteSink(1 + (isLarge ? 4 : 1) + sorted.length * idWidth + (sorted.length + 1) * offsetWidth + total);
  out.unsigned(Basic.object | (header << 2), 1);
  out.unsigned(sorted.length, isLarge ? 4 : 1);
  for (const { id } of sorted) out.unsigned(id, idWidth);
  out.offsets(values, offsetWidth);
  for (const value of values) out.bytes(value);
  return out.done();
}

/** An array of values. */
export function arrayBytes(items: readonly Uint8Array[]): Uint8Array {
  const total = sizeOf(items);
  const offsetWidth = widthOf(total);
  const isLarge = items.length > 0xff;
  const out = new ByteSink(1 + (isLarge ? 4 : 1) + (items.length + 1) * offsetWidth + total);
  out.unsigned(Basic.array | (((offsetWidth - 1) | (isLarge ? 1 << 2 : 0)) << 2), 1);
  out.unsigned(items.length, isLarge ? 4 : 1);
  out.offsets(items, offsetWidth);
  for (const item of items) out.bytes(item);
  return out.done();
}

type PrimitiveValue = Exclude<VariantValue, { readonly kind: "object" | "array" }>;

/** A value that is no object and no array. @throws FrazilError `data` for a number that does not fit its type */
export function primitiveBytes(value: PrimitiveValue): Uint8Array {
  switch (value.kind) {
    case "null":
      return NULL_VALUE;
    case "boolean":
      return head(value.value ? Primitive.true : Primitive.false, 0).done();
    case "int8":
      return integer(Primitive.int8, value.value, 1);
    case "int16":
      return integer(Primitive.int16, value.value, 2);
    case "int32":
      return integer(Primitive.int32, value.value, 4);
    case "date":
      return integer(Primitive.date, BigInt(value.value), 4);
    case "int64":
    case "time":
    case "timestamp":
    case "timestamptz":
    case "timestamp_ns":
    case "timestamptz_ns":
      return integer(Primitive[value.kind], value.value, 8);
    case "float":
      return real(Primitive.float, value.value, 4);
    case "double":
      return real(Primitive.double, value.value, 8);
    case "decimal4":
      return decimal(Primitive.decimal4, value, 4);
    case "decimal8":
      return decimal(Primitive.decimal8, value, 8);
    case "decimal16":
      return decimal(Primitive.decimal16, value, 16);
    case "string":
      return stringBytes(utf8.encode(value.value));
    case "binary": {
      const out = head(Primitive.binary, 4 + value.value.length);
      out.unsigned(value.value.length, 4);
      out.bytes(value.value);
      return out.done();
    }
    case "uuid": {
      if (value.value.length !== 16) throw wrong("a uuid of 16 bytes", `${value.value.length} bytes`);
      const out = head(Primitive.uuid, 16);
      out.bytes(value.value);
      return out.done();
    }
  }
}

/** A text given as UTF-8. */
export function stringBytes(text: Uint8Array): Uint8Array {
  if (text.length <= LONGEST_SHORT_STRING) {
    const out = new ByteSink(1 + text.length);
    out.unsigned(Basic.shortString | (text.length << 2), 1);
    out.bytes(text);
    return out.done();
  }
  const out = head(Primitive.string, 4 + text.length);
  out.unsigned(text.length, 4);
  out.bytes(text);
  return out.done();
}

function integer(id: number, value: bigint, width: number): Uint8Array {
  const out = head(id, width);
  out.signed(value, width);
  return out.done();
}

function real(id: number, value: number, width: 4 | 8): Uint8Array {
  const bytes = head(id, width).done();
  const view = new DataView(bytes.buffer);
  if (width === 4) view.setFloat32(1, value, true);
  else view.setFloat64(1, value, true);
  return bytes;
}

function decimal(
  id: number,
  { scale, unscaled }: { readonly scale: number; readonly unscaled: bigint },
  width: number,
): Uint8Array {
  if (!(Number.isInteger(scale) && scale >= 0 && scale <= 38)) throw wrong("a scale from 0 to 38", String(scale));
  const out = head(id, 1 + width);
  out.unsigned(scale, 1);
  out.signed(unscaled, width);
  return out.done();
}

/** The first byte of a primitive value, and room for `size` more. */
function head(id: number, size: number): ByteSink {
  const out = new ByteSink(1 + size);
  out.unsigned(Basic.primitive | (id << 2), 1);
  return out;
}

/** Bytes that hold an unsigned number. */
function widthOf(most: number): number {
  return most <= 0xff ? 1 : most <= 0xffff ? 2 : most <= 0xffffff ? 3 : 4;
}

function sizeOf(values: readonly Uint8Array[]): number {
  return values.reduce((sum, { length }) => sum + length, 0);
}

function byBytes(a: { readonly bytes: Uint8Array }, b: { readonly bytes: Uint8Array }): number {
  return compareBytes(a.bytes, b.bytes);
}

/** Fills bytes from the first to the last. */
class ByteSink {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(size: number) {
    this.#bytes = new Uint8Array(size);
  }

  unsigned(value: number, width: number): void {
    let rest = value;
    for (let k = 0; k < width; k++) {
      this.#bytes[this.#at++] = rest & 0xff;
      rest = Math.floor(rest / 256);
    }
  }

  signed(value: bigint, width: number): void {
    if (BigInt.asIntN(8 * width, value) !== value) throw wrong(`a number of ${8 * width} bits`, String(value));
    let rest = value;
    for (let k = 0; k < width; k++) {
      this.#bytes[this.#at++] = Number(rest & 0xffn);
      rest >>= 8n;
    }
  }

  /** Where each of the parts begins, and the last one ends. */
  offsets(parts: readonly Uint8Array[], width: number): void {
    let offset = 0;
    this.unsigned(offset, width);
    for (const { length } of parts) this.unsigned((offset += length), width);
  }

  bytes(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  done(): Uint8Array {
    return this.#bytes;
  }
}

function wrong(expected: string, found: string): FrazilError {
  return new FrazilError("data", "VARIANT_VALUE", `a variant: expected ${expected}, found ${found}`);
}
