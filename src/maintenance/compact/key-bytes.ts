import type { Column, PrimitiveType } from "../../../table-format/index.ts";

/** Writes the value of a row, which is not null, so that the order of bytes is the order of values. */
export type WriteValue = (row: number, out: KeyBytes) => void;

/** Bytes that grow: the keys of a batch, one behind the other. */
export class KeyBytes {
  bytes = new Uint8Array(1 << 12);
  length = 0;

  /** Makes room for `size` more bytes. */
  reserve(size: number): void {
    if (this.length + size <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.length + size, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  /** 32 bits, highest byte first. */
  word(value: number): void {
    this.reserve(4);
    const { bytes, length } = this;
    bytes[length] = value >>> 24;
    bytes[length + 1] = value >>> 16;
    bytes[length + 2] = value >>> 8;
    bytes[length + 3] = value;
    this.length += 4;
  }
}

/** Flips the sign: two's complement becomes the order of unsigned words. */
const SIGN = 0x8000_0000;
const NAN_HIGH = 0x7ff8_0000;
const NAN_SINGLE = 0x7fc0_0000;

/**
 * Writers of a column's values whose bytes, compared unsigned, stand in Iceberg's order of values (as `rowOrder` has it): numbers by
 * value, -0.0 before 0.0, NaN after all numbers, texts by code point, bytes unsigned. Values of varying length end with a mark
 * below every byte, so that further bytes of a key may follow.
 */
export function valueWriter(column: Column): WriteValue {
  switch (column.layout) {
    case "bits": {
      const { values } = column;
      return (row, out) => out.byte(((values[row >> 3] as number) >> (row & 7)) & 1);
    }
    case "i32": {
      const { values } = column;
      return (row, out) => out.word((values[row] as number) ^ SIGN);
    }
    case "i64":
      return wordsWriter(column.values, 2, 2);
    case "i128":
      return wordsWriter(column.values, 4, decimalWords(column.type));
    case "f32": {
      const words = new Uint32Array(column.values.buffer, column.values.byteOffset, column.length);
      const { values } = column;
      return (row, out) => {
        const word = Number.isNaN(values[row]) ? NAN_SINGLE : (words[row] as number);
        out.word(word & SIGN ? ~word : word ^ SIGN);
      };
    }
    case "f64": {
      const words = new Uint32Array(column.values.buffer, column.values.byteOffset, column.length * 2);
      const { values } = column;
      return (row, out) => {
        const isNaN = Number.isNaN(values[row]);
        const high = isNaN ? NAN_HIGH : (words[row * 2 + 1] as number);
        const low = isNaN ? 0 : (words[row * 2] as number);
        out.word(high & SIGN ? ~high : high ^ SIGN);
        out.word(high & SIGN ? ~low : low);
      };
    }
    case "fixed": {
      const { values, width } = column;
      return (row, out) => {
        out.reserve(width);
        out.bytes.set(values.subarray(row * width, (row + 1) * width), out.length);
        out.length += width;
      };
    }
    case "bytes": {
      const { offsets, values } = column;
      return (row, out) => writeEscaped(values, offsets[row] as number, offsets[row + 1] as number, out);
    }
  }
}

/** Integers of 64 or 128 bits, highest word first; `used` words hold every value. */
function wordsWriter(column: BigInt64Array, wordsPerRow: 2 | 4, used: number): WriteValue {
  const words = new Uint32Array(column.buffer, column.byteOffset, column.length * 2);
  return (row, out) => {
    let k = used - 1;
    out.word((words[row * wordsPerRow + k] as number) ^ SIGN);
    while (--k >= 0) out.word(words[row * wordsPerRow + k] as number);
  };
}

/** Words that hold an unscaled value of the type, as Parquet has it: most decimals are short, and so are their keys then. */
function decimalWords(type: PrimitiveType): number {
  if (type.kind !== "decimal" || type.precision > 18) return 4;
  return type.precision > 9 ? 2 : 1;
}

/** A zero becomes 00 FF, the end 00 00: a beginning stands before what goes on from it. */
function writeEscaped(values: Uint8Array, start: number, end: number, out: KeyBytes): void {
  out.reserve((end - start) * 2 + 2);
  const { bytes } = out;
  let at = out.length;
  for (let k = start; k < end; k++) {
    const byte = values[k] as number;
    bytes[at++] = byte;
    if (byte === 0) bytes[at++] = 0xff;
  }
  bytes[at++] = 0;
  bytes[at++] = 0;
  out.length = at;
}
