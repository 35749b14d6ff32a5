import { FrazilError } from "../errors.ts";
import type { PrimitiveType } from "../schema/types.ts";
import type { Column } from "./column.ts";

/** Rows for which a fresh builder has room. */
const FIRST_CAPACITY = 64;

/**
 * Collects one column's values in Arrow layout (see `Column`). Each layout has its own class, and each of its methods touches typed
 * arrays only, so that a decoder's call sites stay monomorphic. A method that the layout does not know is a bug and throws.
 *
 * | method                                           | types                                                         |
 * |--------------------------------------------------|---------------------------------------------------------------|
 * | `appendBool`                                     | boolean                                                       |
 * | `appendI32`                                      | int, date; also long, time, timestamps and decimal (unscaled) |
 * | `appendI64`, `appendI64Parts`, `appendI64Number` | long, time, timestamps; also decimal (unscaled)               |
 * | `appendF32`, `appendF64`                         | float, double                                                 |
 * | `appendDecimal128`                               | decimal                                                       |
 * | `appendBytes`                                    | string (UTF-8, taken as it is), binary, uuid, fixed           |
 * | `appendString`                                   | string                                                        |
 *
 * Ranges are the caller's duty: an int beyond 32 bits or a decimal beyond its precision is not noticed here.
 */
export abstract class ColumnBuilder {
  readonly type: PrimitiveType;
  /** Rows appended since the last `finish`. */
  length = 0;
  nullCount = 0;
  /** Rows for which the arrays have room. */
  protected capacity = 0;
  /** Filled with ones ahead of the rows, so that appending a value leaves it alone; null until the first null. */
  private validity: Uint8Array | null = null;

  protected constructor(type: PrimitiveType) {
    this.type = type;
  }

  /** Bytes of the values held, roughly what `finish` hands over. */
  abstract get sizeBytes(): number;

  /** Makes room for `capacity` rows, keeping those there are. */
  protected abstract resize(capacity: number): void;

  /** Appends row `row` of a column of the same layout, null or not. */
  abstract appendFrom(column: Column, row: number): void;

  /** The rows as a column; the builder starts anew with memory of its own. */
  abstract finish(): Column;

  /** Room for one more row. To be called before every append. */
  protected reserveRow(): void {
    if (this.length === this.capacity) {
      const capacity = Math.max(FIRST_CAPACITY, this.capacity * 2);
      this.resize(capacity);
      this.capacity = capacity;
    }
  }

  appendNull(): void {
    this.reserveRow();
    this.markNull();
    this.length++;
  }

  protected markNull(): void {
    const row = this.length;
    let validity = this.validity;
    if (validity === null || row >> 3 >= validity.length) {
      const grown = new Uint8Array((this.capacity + 7) >> 3).fill(0xff);
      if (validity !== null) grown.set(validity);
      this.validity = validity = grown;
    }
    validity[row >> 3] = (validity[row >> 3] as number) & ~(1 << (row & 7));
    this.nullCount++;
  }

  /** What every layout's column begins with. Resets the counts; the caller then drops its arrays. */
  protected takeBase(): { type: PrimitiveType; length: number; nullCount: number; validity: Uint8Array | null } {
    const { type, length, nullCount } = this;
    const validity = nullCount === 0 ? null : finishedBitmap(this.validity as Uint8Array, length);
    this.length = 0;
    this.nullCount = 0;
    this.capacity = 0;
    this.validity = null;
    return { type, length, nullCount, validity };
  }

  appendBool(_value: boolean): void {
    throw this.wrongLayout("appendBool");
  }

  appendI32(_value: number): void {
    throw this.wrongLayout("appendI32");
  }

  appendI64(_value: bigint): void {
    throw this.wrongLayout("appendI64");
  }

  /** Two's complement in two words of 32 bits (signed or unsigned, only the bits count). */
  appendI64Parts(_low: number, _high: number): void {
    throw this.wrongLayout("appendI64Parts");
  }

  /** A safe integer: |value| < 2^53. */
  appendI64Number(_value: number): void {
    throw this.wrongLayout("appendI64Number");
  }

  appendF32(_value: number): void {
    throw this.wrongLayout("appendF32");
  }

  appendF64(_value: number): void {
    throw this.wrongLayout("appendF64");
  }

  /** The unscaled value, two's complement in two words of 64 bits (signed or unsigned, only the bits count). */
  appendDecimal128(_low: bigint, _high: bigint): void {
    throw this.wrongLayout("appendDecimal128");
  }

  /** Bytes `start` to `end` of `source`. Of uuid and fixed the length must be the width. */
  appendBytes(_source: Uint8Array, _start: number, _end: number): void {
    throw this.wrongLayout("appendBytes");
  }

  /** Encoded as UTF-8; a lone surrogate becomes U+FFFD. */
  appendString(_value: string): void {
    throw this.wrongLayout("appendString");
  }

  private wrongLayout(method: string): FrazilError {
    return new FrazilError("internal", "WRONG_BUILDER", `${method} was called on a builder for ${this.type.kind}`);
  }
}

/** The bitmap of `length` rows, bits past the end cleared. */
function finishedBitmap(ahead: Uint8Array, length: number): Uint8Array {
  const size = (length + 7) >> 3;
  const bitmap = new Uint8Array(size).fill(0xff);
  bitmap.set(ahead.subarray(0, Math.min(size, ahead.length)));
  if ((length & 7) !== 0) bitmap[size - 1] = (bitmap[size - 1] as number) & ((1 << (length & 7)) - 1);
  return bitmap;
}
