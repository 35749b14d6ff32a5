import { FrazilError } from "../errors.ts";
import { fromHalves, toInt64 } from "../values/int64.ts";

const WIDE_SCALE = 128 ** 7;

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
    const value = this.#narrow();
    if (value === (value | 0)) return value;
    throw corrupt("an int of 32 bits", String(Number.isNaN(value) ? this.#wide() : value));
  }

  /** A zig-zag varint of at most 64 bits. */
  long(): bigint {
    const value = this.#narrow();
    return Number.isNaN(value) ? this.#wide() : toInt64(value);
  }

  /** Moves over a varint. */
  skipVarint(): void {
    const { bytes } = this;
    let at = this.#at;
    while ((bytes[at] as number) > 0x7f) at += 1;
    if (at >= bytes.length) throw truncated();
    this.#at = at + 1;
  }

  /** Moves over bytes. */
  skip(length: number): void {
    this.#need(length);
    this.#at += length;
  }

  /** Goes back, or on, to a position that was read before. */
  moveTo(position: number): void {
    this.#at = position;
  }

  /** A zig-zag varint of at most seven bytes, which a double holds exactly; NaN for longer ones, and then nothing is read. */
  #narrow(): number {
    const { bytes } = this;
    let at = this.#at;
    // Beyond the end there is undefined, which counts as a last part of 0.
    let part = bytes[at++] as number;
    let value = part & 0x7f;
    for (let scale = 128; part > 0x7f; scale *= 128) {
      if (scale === WIDE_SCALE) return Number.NaN;
      part = bytes[at++] as number;
      value += (part & 0x7f) * scale;
    }
    if (at > bytes.length) throw truncated();
    this.#at = at;
    if (value <= 0x7fffffff) return (value >>> 1) ^ -(value & 1);
    const half = Math.floor(value / 2);
    return half * 2 === value ? half : -half - 1;
  }

  /** A zig-zag varint of eight to ten bytes, put together from two halves: with bigints it takes ten times as long. */
  #wide(): bigint {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const part = this.byte();
      const bits = part & 0x7f;
      if (shift < 32) low |= bits << shift;
      if (shift === 28) high = bits >>> 4;
      else if (shift > 28) high |= bits << (shift - 32);
      if (part > 0x7f) continue;
      if (shift === 63 && bits > 1) break;
      const sign = -(low & 1);
      return fromHalves(((low >>> 1) | (high << 31)) ^ sign, (high >>> 1) ^ sign);
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
    const value = this.#narrow();
    if (value >= 0 && value <= this.bytes.length) return value;
    throw corrupt("a length within the block", String(Number.isNaN(value) ? this.#wide() : value));
  }

  /**
   * The number of items in the next part of an array or a map; 0 after the last one (Avro 1.12, "Arrays"). An item takes at least a
   * byte: those of none would let a short file demand endless memory.
   */
  count(): number {
    const count = this.#narrow();
    // A negative count is followed by the size of the part.
    if (count < 0) this.skipVarint();
    const items = Math.abs(count);
    if (items <= this.bytes.length) return items;
    throw corrupt("as many items as fit the block", String(Number.isNaN(count) ? this.#wide() : count));
  }

  /** What an index names: a branch of a union, a symbol of an enum. */
  choice<T>(choices: readonly T[]): T {
    const index = this.int();
    const chosen = choices[index];
    if (chosen === undefined) throw corrupt(`one of ${choices.length} choices`, String(index));
    return chosen;
  }

  #need(length: number): void {
    if (length < 0 || this.#at + length > this.bytes.length) throw truncated();
  }
}

function truncated(): FrazilError {
  return corrupt("more bytes", "the end of the block");
}

function corrupt(expected: string, found: string): FrazilError {
  return new FrazilError("corrupt", "AVRO_DATA", `Avro data: expected ${expected}, found ${found}`);
}
