import { FrazilError } from "../errors.ts";
import type { PrimitiveType } from "../schema/types.ts";
import { type Column, isValid } from "./column.ts";
import { ColumnBuilder } from "./column-builder.ts";

/** Offsets are signed words of 32 bits. */
const MAX_COLUMN_BYTES = 0x7fff_ffff;

/** Up to this many bytes a loop is quicker than a call into the runtime's copy. */
const SHORT_COPY = 40;

const utf8 = new TextEncoder();

/** string and binary (and the all-null `unknown`). */
export class BytesBuilder extends ColumnBuilder {
  /** The bytes of all rows. Valid until the next call; see `reserveBytes`. */
  bytes = new Uint8Array(0);
  /** Bytes used. */
  bytesLength = 0;
  /** Entry `row + 1` is where row `row` ends. */
  private ends = new Int32Array(1);

  constructor(type: PrimitiveType) {
    super(type);
  }

  get sizeBytes(): number {
    return this.bytesLength + this.length * 4;
  }

  protected resize(capacity: number): void {
    const grown = new Int32Array(capacity + 1);
    grown.set(this.ends);
    this.ends = grown;
  }

  override appendNull(): void {
    this.reserveRow();
    this.markNull();
    this.ends[++this.length] = this.bytesLength;
  }

  /**
   * For a decoder that writes a value in place: room for `size` bytes from `bytesLength` on in the array returned (which is `bytes`).
   * `commitBytes` then appends the row; without it nothing is appended.
   *
   * @throws FrazilError `data` when the column would pass 2 GiB.
   */
  reserveBytes(size: number): Uint8Array {
    const needed = this.bytesLength + size;
    if (needed > this.bytes.length) {
      if (needed > MAX_COLUMN_BYTES) {
        throw new FrazilError(
          "data",
          "COLUMN_TOO_LARGE",
          `a column of one batch holds at most ${MAX_COLUMN_BYTES} bytes, found ${needed}`,
          { hint: "lower checkpoint.max_size" },
        );
      }
      const grown = new Uint8Array(Math.min(MAX_COLUMN_BYTES, Math.max(needed, this.bytes.length * 2, 1024)));
      grown.set(this.bytes.subarray(0, this.bytesLength));
      this.bytes = grown;
    }
    return this.bytes;
  }

  /** Appends a row whose bytes, written after `reserveBytes`, end at `end`. */
  commitBytes(end: number): void {
    this.reserveRow();
    this.bytesLength = end;
    this.ends[++this.length] = end;
  }

  override appendBytes(source: Uint8Array, start: number, end: number): void {
    const size = end - start;
    const bytes = this.reserveBytes(size);
    const at = this.bytesLength;
    if (size <= SHORT_COPY) {
      for (let k = 0; k < size; k++) bytes[at + k] = source[start + k] as number;
    } else {
      bytes.set(source.subarray(start, end), at);
    }
    this.commitBytes(at + size);
  }

  override appendString(value: string): void {
    const bytes = this.reserveBytes(value.length * 3);
    let at = this.bytesLength;
    if (value.length <= SHORT_COPY) {
      let k = 0;
      for (; k < value.length; k++) {
        const unit = value.charCodeAt(k);
        if (unit > 0x7f) break;
        bytes[at + k] = unit;
      }
      if (k === value.length) {
        this.commitBytes(at + k);
        return;
      }
    }
    at += utf8.encodeInto(value, bytes.subarray(at)).written;
    this.commitBytes(at);
  }

  appendFrom(column: Column, row: number): void {
    if (!isValid(column, row)) {
      this.appendNull();
      return;
    }
    const offsets = (column as Extract<Column, { layout: "bytes" }>).offsets;
    this.appendBytes(column.values as Uint8Array, offsets[row] as number, offsets[row + 1] as number);
  }

  finish(): Column {
    const offsets = this.ends.subarray(0, this.length + 1);
    const values = this.bytes.subarray(0, this.bytesLength);
    this.ends = new Int32Array(1);
    this.bytes = new Uint8Array(0);
    this.bytesLength = 0;
    return { ...this.takeBase(), layout: "bytes", offsets, values };
  }
}

/** uuid and fixed[n]: values of one width. */
export class FixedBuilder extends ColumnBuilder {
  readonly width: number;
  private values = new Uint8Array(0);

  constructor(type: PrimitiveType, width: number) {
    super(type);
    this.width = width;
  }

  get sizeBytes(): number {
    return this.length * this.width;
  }

  protected resize(capacity: number): void {
    const grown = new Uint8Array(capacity * this.width);
    grown.set(this.values);
    this.values = grown;
  }

  override appendBytes(source: Uint8Array, start: number, end: number): void {
    const { width } = this;
    if (end - start !== width) {
      throw new FrazilError("data", "WRONG_WIDTH", `expected ${width} bytes, found ${end - start}`);
    }
    this.reserveRow();
    const at = this.length++ * width;
    for (let k = 0; k < width; k++) this.values[at + k] = source[start + k] as number;
  }

  appendFrom(column: Column, row: number): void {
    if (!isValid(column, row)) this.appendNull();
    else this.appendBytes(column.values as Uint8Array, row * this.width, (row + 1) * this.width);
  }

  finish(): Column {
    const { width } = this;
    const values = this.values.subarray(0, this.length * width);
    this.values = new Uint8Array(0);
    return { ...this.takeBase(), layout: "fixed", width, values };
  }
}
