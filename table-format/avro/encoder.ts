import { FrazilError, must } from "../errors.ts";
import { highHalf, lowHalf } from "../values/int64.ts";
import type { AvroValue } from "./decoder.ts";
import type { AvroType } from "./schema.ts";

/** Writes the Avro binary encoding into one growing buffer. */
export class AvroSink {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  constructor(capacity = 4096) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  /** A view of what was written; valid until the next write. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** A zig-zag varint of 32 bits. */
  int(value: number): void {
    this.#reserve(5);
    let rest = ((value << 1) ^ (value >> 31)) >>> 0;
    while (rest > 0x7f) {
      this.#bytes[this.#length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#length++] = rest;
  }

  /** A zig-zag varint of 64 bits. */
  long(value: bigint): void {
    if (value >= -0x40000000n && value <= 0x3fffffffn) {
      this.int(Number(value));
      return;
    }
    this.#reserve(10);
    const sign = highHalf(value) >> 31;
    let low = (lowHalf(value) << 1) ^ sign;
    let high = ((highHalf(value) << 1) | (lowHalf(value) >>> 31)) ^ sign;
    while (high !== 0 || low >>> 0 > 0x7f) {
      this.#bytes[this.#length++] = (low & 0x7f) | 0x80;
      low = (low >>> 7) | (high << 25);
      high >>>= 7;
    }
    this.#bytes[this.#length++] = low;
  }

  float(value: number): void {
    this.#reserve(4);
    this.#view.setFloat32(this.#length, value, true);
    this.#length += 4;
  }

  double(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Bytes preceded by their length. */
  sized(bytes: Uint8Array): void {
    this.int(bytes.length);
    this.raw(bytes);
  }

  /** UTF-8 preceded by its length in bytes. */
  string(text: string): void {
    // Three bytes a UTF-16 unit is the most UTF-8 needs; written in place behind room for the length.
    const most = text.length * 3;
    this.#reserve(most + 5);
    const start = this.#length + 5;
    const { written } = UTF8.encodeInto(text, this.#bytes.subarray(start, start + most));
    this.int(written);
    this.#bytes.copyWithin(this.#length, start, start + written);
    this.#length += written;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

const UTF8 = new TextEncoder();

/** Writes one value of a type. Values have the shapes that the decoder gives; a union takes null or its first other branch. */
export type AvroEncoder = (sink: AvroSink, value: AvroValue) => void;

/**
 * Turns a schema into a function that writes it. Recursive records, and unions of more than null and one other type, are
 * refused: Iceberg's files have none.
 */
export function compileEncoder(type: AvroType): AvroEncoder {
  switch (type.kind) {
    case "null":
      return () => {};
    case "boolean":
      return (sink, value) => sink.byte(value === true ? 1 : 0);
    case "int":
      return (sink, value) => sink.int(value as number);
    case "long":
      return (sink, value) => sink.long(value as bigint);
    case "float":
      return (sink, value) => sink.float(value as number);
    case "double":
      return (sink, value) => sink.double(value as number);
    case "bytes":
      return (sink, value) => sink.sized(value as Uint8Array);
    case "string":
      return (sink, value) => sink.string(value as string);
    case "fixed":
      return (sink, value) => {
        const bytes = value as Uint8Array;
        if (bytes.length !== type.size) throw mismatch(`${type.size} bytes for ${type.name}`, `${bytes.length}`);
        sink.raw(bytes);
      };
    case "array": {
      const item = compileEncoder(type.items);
      return (sink, value) => {
        const items = value as readonly AvroValue[];
        if (items.length > 0) {
          sink.int(items.length);
          for (const each of items) item(sink, each);
        }
        sink.byte(0);
      };
    }
    case "union":
      return unionEncoder(type.branches);
    case "record": {
      const fields = type.fields.map((field) => compileEncoder(field.type));
      return (sink, value) => {
        const values = value as readonly AvroValue[];
        if (values.length !== fields.length)
          throw mismatch(`${fields.length} values of ${type.name}`, `${values.length}`);
        for (let i = 0; i < fields.length; i++) (fields[i] as AvroEncoder)(sink, values[i] as AvroValue);
      };
    }
    case "map":
    case "enum":
      throw mismatch("a type that Iceberg writes", type.kind);
  }
}

function unionEncoder(branches: readonly AvroType[]): AvroEncoder {
  const nullAt = branches.findIndex((branch) => branch.kind === "null");
  const otherAt = branches.findIndex((branch) => branch.kind !== "null");
  if (branches.length !== 2 || nullAt < 0 || otherAt < 0) throw mismatch("a union of null and one type", "another");
  const other = compileEncoder(must(branches[otherAt], "the branch was found above"));
  return (sink, value) => {
    if (value === null) {
      sink.byte(nullAt << 1);
      return;
    }
    sink.byte(otherAt << 1);
    other(sink, value);
  };
}

function mismatch(expected: string, found: string): FrazilError {
  return new FrazilError("internal", "AVRO_ENCODE", `Avro writer: expected ${expected}, found ${found}`);
}
