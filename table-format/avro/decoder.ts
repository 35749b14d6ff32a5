import { FrazilError } from "../errors.ts";
import type { AvroType } from "./schema.ts";

/**
 * A decoded Avro value: long is bigint, int/float/double number, bytes and fixed views of the block, records arrays in file
 * order of their fields, maps arrays of `[key, value]`, enums their symbol, unions the value of their branch.
 */
export type AvroValue = null | boolean | number | bigint | string | Uint8Array | readonly AvroValue[];

/** Reads the Avro binary encoding from one block of bytes. */
export class AvroCursor {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get atEnd(): boolean {
    return this.#at >= this.bytes.length;
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#at;
  }

  byte(): number {
    const value = this.bytes[this.#at];
    if (value === undefined) throw truncated();
    this.#at += 1;
    return value;
  }

  /** A zig-zag varint that must fit 32 bits. */
  int(): number {
    const value = this.long();
    if (value < -0x80000000n || value > 0x7fffffffn) throw corrupt("an int of 32 bits", String(value));
    return Number(value);
  }

  /** A zig-zag varint of at most 64 bits. */
  long(): bigint {
    // Seven varint bytes hold 49 bits: exact as a double, and nearly all values end here.
    let low = 0;
    let scale = 1;
    for (let i = 0; i < 7; i++) {
      const part = this.byte();
      low += (part & 0x7f) * scale;
      if (part < 0x80) {
        return BigInt(low % 2 === 0 ? low / 2 : -(low + 1) / 2);
      }
      scale *= 128;
    }
    let value = BigInt(low);
    for (let shift = 49n; shift < 70n; shift += 7n) {
      const part = this.byte();
      value |= BigInt(part & 0x7f) << shift;
      if (part < 0x80) {
        if (value >> 64n !== 0n) break;
        return (value >> 1n) ^ -(value & 1n);
      }
    }
    throw corrupt("a varint of at most 64 bits", "a longer one");
  }

  float(): number {
    this.#need(4);
    const value = this.#view.getFloat32(this.#at, true);
    this.#at += 4;
    return value;
  }

  double(): number {
    this.#need(8);
    const value = this.#view.getFloat64(this.#at, true);
    this.#at += 8;
    return value;
  }

  /** A view of the next `length` bytes. */
  take(length: number): Uint8Array {
    this.#need(length);
    const start = this.#at;
    this.#at += length;
    return this.bytes.subarray(start, start + length);
  }

  /** Bytes preceded by their length. */
  sized(): Uint8Array {
    return this.take(this.length());
  }

  /** A length or a count: a long that is a byte or item count within this block. */
  length(): number {
    const value = this.long();
    if (value < 0n || value > BigInt(this.bytes.length)) throw corrupt("a length within the block", String(value));
    return Number(value);
  }

  #need(length: number): void {
    if (length < 0 || this.#at + length > this.bytes.length) throw truncated();
  }
}

/** Reads one value of a type. */
export type AvroDecoder = (cursor: AvroCursor) => AvroValue;

const UTF8 = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });

/** Turns a schema into a function that reads it, so that no schema is walked per value. */
export function compileDecoder(type: AvroType): AvroDecoder {
  return compile(type, new Map());
}

function compile(type: AvroType, known: Map<AvroType, { decoder: AvroDecoder | null }>): AvroDecoder {
  const seen = known.get(type);
  if (seen !== undefined) {
    // A record that contains itself: its decoder exists only once the outer call has ended.
    return seen.decoder ?? ((cursor) => (seen.decoder as AvroDecoder)(cursor));
  }
  const slot: { decoder: AvroDecoder | null } = { decoder: null };
  known.set(type, slot);
  slot.decoder = build(type, known);
  return slot.decoder;
}

function build(type: AvroType, known: Map<AvroType, { decoder: AvroDecoder | null }>): AvroDecoder {
  switch (type.kind) {
    case "null":
      return () => null;
    case "boolean":
      return (cursor) => cursor.byte() !== 0;
    case "int":
      return (cursor) => cursor.int();
    case "long":
      return (cursor) => cursor.long();
    case "float":
      return (cursor) => cursor.float();
    case "double":
      return (cursor) => cursor.double();
    case "bytes":
      return (cursor) => cursor.sized();
    case "string":
      return (cursor) => UTF8.decode(cursor.sized());
    case "fixed":
      return (cursor) => cursor.take(type.size);
    case "enum":
      return (cursor) => pick(type.symbols, cursor.int());
    case "array":
      return blocks(compile(type.items, known));
    case "map": {
      const values = compile(type.values, known);
      return blocks((cursor) => [UTF8.decode(cursor.sized()), values(cursor)]);
    }
    case "union": {
      const branches = type.branches.map((branch) => compile(branch, known));
      return (cursor) => pick(branches, cursor.int())(cursor);
    }
    case "record": {
      const fields = type.fields.map((field) => compile(field.type, known));
      return (cursor) => {
        const values: AvroValue[] = [];
        for (const field of fields) values.push(field(cursor));
        return values;
      };
    }
  }
}

function blocks(item: AvroDecoder): AvroDecoder {
  return (cursor) => {
    const values: AvroValue[] = [];
    for (;;) {
      let count = cursor.long();
      if (count === 0n) return values;
      if (count < 0n) {
        count = -count;
        cursor.long();
      }
      // An item of zero bytes would let a short file demand endless memory.
      if (count > BigInt(cursor.bytes.length)) throw corrupt("as many items as fit the block", String(count));
      for (let i = Number(count); i > 0; i--) values.push(item(cursor));
    }
  };
}

function pick<T>(choices: readonly T[], index: number): T {
  const choice = choices[index];
  if (choice === undefined) throw corrupt(`one of ${choices.length} choices`, String(index));
  return choice;
}

function truncated(): FrazilError {
  return corrupt("more bytes", "the end of the block");
}

function corrupt(expected: string, found: string): FrazilError {
  return new FrazilError("corrupt", "AVRO_DATA", `Avro data: expected ${expected}, found ${found}`);
}
