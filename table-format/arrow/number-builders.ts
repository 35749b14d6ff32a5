import type { PrimitiveType } from "../schema/types.ts";
import { type Column, isValid } from "./column.ts";
import { ColumnBuilder } from "./column-builder.ts";

/** boolean, one bit a row. */
export class BitsBuilder extends ColumnBuilder {
  private bits = new Uint8Array(0);

  constructor(type: PrimitiveType) {
    super(type);
  }

  get sizeBytes(): number {
    return (this.length + 7) >> 3;
  }

  protected resize(capacity: number): void {
    const grown = new Uint8Array((capacity + 7) >> 3);
    grown.set(this.bits);
    this.bits = grown;
  }

  override appendBool(value: boolean): void {
    this.reserveRow();
    const row = this.length++;
    if (value) this.bits[row >> 3] = (this.bits[row >> 3] as number) | (1 << (row & 7));
  }

  appendFrom(column: Column, row: number): void {
    if (!isValid(column, row)) this.appendNull();
    else this.appendBool((((column.values as Uint8Array)[row >> 3] as number) & (1 << (row & 7))) !== 0);
  }

  finish(): Column {
    const values = this.bits.subarray(0, (this.length + 7) >> 3);
    this.bits = new Uint8Array(0);
    return { ...this.takeBase(), layout: "bits", values };
  }
}

/** int and date. */
export class I32Builder extends ColumnBuilder {
  private values = new Int32Array(0);

  constructor(type: PrimitiveType) {
    super(type);
  }

  get sizeBytes(): number {
    return this.length * 4;
  }

  protected resize(capacity: number): void {
    const grown = new Int32Array(capacity);
    grown.set(this.values);
    this.values = grown;
  }

  override appendI32(value: number): void {
    this.reserveRow();
    this.values[this.length++] = value;
  }

  appendFrom(column: Column, row: number): void {
    if (!isValid(column, row)) this.appendNull();
    else this.appendI32((column.values as Int32Array)[row] as number);
  }

  finish(): Column {
    const values = this.values.subarray(0, this.length);
    this.values = new Int32Array(0);
    return { ...this.takeBase(), layout: "i32", values };
  }
}

/** long, time and the timestamps. Kept as words of 32 bits, so that appending makes no bigint. */
export class I64Builder extends ColumnBuilder {
  private values = new BigInt64Array(0);
  private words = new Int32Array(0);

  constructor(type: PrimitiveType) {
    super(type);
  }

  get sizeBytes(): number {
    return this.length * 8;
  }

  protected resize(capacity: number): void {
    const grown = new BigInt64Array(capacity);
    grown.set(this.values);
    this.values = grown;
    this.words = new Int32Array(grown.buffer);
  }

  override appendI32(value: number): void {
    this.appendI64Parts(value, value >> 31);
  }

  override appendI64(value: bigint): void {
    this.reserveRow();
    this.values[this.length++] = value;
  }

  override appendI64Parts(low: number, high: number): void {
    this.reserveRow();
    const at = this.length++ * 2;
    this.words[at] = low;
    this.words[at + 1] = high;
  }

  override appendI64Number(value: number): void {
    this.appendI64Parts(value | 0, Math.floor(value / 0x1_0000_0000));
  }

  appendFrom(column: Column, row: number): void {
    if (!isValid(column, row)) this.appendNull();
    else this.appendI64((column.values as BigInt64Array)[row] as bigint);
  }

  finish(): Column {
    const values = this.values.subarray(0, this.length);
    this.values = new BigInt64Array(0);
    this.words = new Int32Array(0);
    return { ...this.takeBase(), layout: "i64", values };
  }
}

/** float. */
export class F32Builder extends ColumnBuilder {
  private values = new Float32Array(0);

  constructor(type: PrimitiveType) {
    super(type);
  }

  get sizeBytes(): number {
    return this.length * 4;
  }

  protected resize(capacity: number): void {
    const grown = new Float32Array(capacity);
    grown.set(this.values);
    this.values = grown;
  }

  override appendF32(value: number): void {
    this.reserveRow();
    this.values[this.length++] = value;
  }

  /** Rounded to the nearest float. */
  override appendF64(value: number): void {
    this.appendF32(value);
  }

  appendFrom(column: Column, row: number): void {
    if (!isValid(column, row)) this.appendNull();
    else this.appendF32((column.values as Float32Array)[row] as number);
  }

  finish(): Column {
    const values = this.values.subarray(0, this.length);
    this.values = new Float32Array(0);
    return { ...this.takeBase(), layout: "f32", values };
  }
}

/** double. */
export class F64Builder extends ColumnBuilder {
  private values = new Float64Array(0);

  constructor(type: PrimitiveType) {
    super(type);
  }

  get sizeBytes(): number {
    return this.length * 8;
  }

  protected resize(capacity: number): void {
    const grown = new Float64Array(capacity);
    grown.set(this.values);
    this.values = grown;
  }

  override appendF64(value: number): void {
    this.reserveRow();
    this.values[this.length++] = value;
  }

  override appendF32(value: number): void {
    this.appendF64(value);
  }

  appendFrom(column: Column, row: number): void {
    if (!isValid(column, row)) this.appendNull();
    else this.appendF64((column.values as Float64Array)[row] as number);
  }

  finish(): Column {
    const values = this.values.subarray(0, this.length);
    this.values = new Float64Array(0);
    return { ...this.takeBase(), layout: "f64", values };
  }
}

/** decimal: unscaled values of 128 bits. Values that fit 64 bits go in as words, without a bigint. */
export class I128Builder extends ColumnBuilder {
  private values = new BigInt64Array(0);
  private words = new Int32Array(0);

  constructor(type: PrimitiveType) {
    super(type);
  }

  get sizeBytes(): number {
    return this.length * 16;
  }

  protected resize(capacity: number): void {
    const grown = new BigInt64Array(capacity * 2);
    grown.set(this.values);
    this.values = grown;
    this.words = new Int32Array(grown.buffer);
  }

  override appendI32(value: number): void {
    this.appendI64Parts(value, value >> 31);
  }

  override appendI64(value: bigint): void {
    this.appendDecimal128(value, value >> 63n);
  }

  override appendI64Parts(low: number, high: number): void {
    this.reserveRow();
    const at = this.length++ * 4;
    const sign = high >> 31;
    this.words[at] = low;
    this.words[at + 1] = high;
    this.words[at + 2] = sign;
    this.words[at + 3] = sign;
  }

  override appendI64Number(value: number): void {
    this.appendI64Parts(value | 0, Math.floor(value / 0x1_0000_0000));
  }

  override appendDecimal128(low: bigint, high: bigint): void {
    this.reserveRow();
    const at = this.length++ * 2;
    this.values[at] = low;
    this.values[at + 1] = high;
  }

  appendFrom(column: Column, row: number): void {
    if (!isValid(column, row)) {
      this.appendNull();
      return;
    }
    const values = column.values as BigInt64Array;
    this.appendDecimal128(values[row * 2] as bigint, values[row * 2 + 1] as bigint);
  }

  finish(): Column {
    const values = this.values.subarray(0, this.length * 2);
    this.values = new BigInt64Array(0);
    this.words = new Int32Array(0);
    return { ...this.takeBase(), layout: "i128", values };
  }
}
