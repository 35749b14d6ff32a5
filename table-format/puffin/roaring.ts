import { assert, FrazilError } from "../errors.ts";
import {
  addTo,
  type Container,
  copyOf,
  countBelow,
  differenceOf,
  emptyContainer,
  hasIn,
  rangeContainer,
  unionOf,
  writeValues,
} from "./roaring-container.ts";
import { decodeContainers, encodeContainers } from "./roaring-format.ts";

/** A compressed set of row positions below 2^32 (32-bit roaring bitmap, portable format). */
export class RoaringBitmap {
  #keys: number[] = [];
  #containers: Container[] = [];
  /** Where the last addition or question went: positions of one batch lie close together. */
  #last = 0;

  /** Takes both over. */
  static #of(keys: number[], containers: Container[]): RoaringBitmap {
    const bitmap = new RoaringBitmap();
    bitmap.#keys = keys;
    bitmap.#containers = containers;
    return bitmap;
  }

  /** A bitmap of the given positions. */
  static from(positions: Iterable<number>): RoaringBitmap {
    const bitmap = new RoaringBitmap();
    for (const position of positions) bitmap.add(position);
    return bitmap;
  }

  /** A bitmap of the positions 0 to `end` - 1. */
  static range(end: number): RoaringBitmap {
    const bitmap = new RoaringBitmap();
    for (let start = 0; start < end; start += 0x10000) {
      bitmap.#keys.push(start / 0x10000);
      bitmap.#containers.push(rangeContainer(Math.min(end - start, 0x10000)));
    }
    return bitmap;
  }

  /** Adds a position, in place. */
  add(position: number): void {
    assert(position >= 0 && position <= 0xffffffff, `position ${position} is outside of 32 bits`);
    addTo(this.#containerFor(position >>> 16), position & 0xffff);
  }

  /** Adds ascending positions, in place. */
  addMany(sorted: ArrayLike<number>): void {
    for (let i = 0; i < sorted.length; i++) this.add(sorted[i] as number);
  }

  has(position: number): boolean {
    const key = position >>> 16;
    const at = this.#keys[this.#last] === key ? this.#last : this.#find(key);
    if (at < 0) return false;
    this.#last = at;
    return hasIn(this.#containers[at] as Container, position & 0xffff);
  }

  /** Number of positions. */
  get cardinality(): number {
    let sum = 0;
    for (const container of this.#containers) sum += container.size;
    return sum;
  }

  /** Number of positions strictly below `position`. */
  rank(position: number): number {
    let sum = 0;
    for (let i = 0; i < this.#keys.length; i++) {
      const key = this.#keys[i] as number;
      const container = this.#containers[i] as Container;
      if (key > position >>> 16) break;
      sum += key < position >>> 16 ? container.size : countBelow(container, position & 0xffff);
    }
    return sum;
  }

  /** Every position, ascending. */
  toArray(): Uint32Array {
    const out = new Uint32Array(this.cardinality);
    let at = 0;
    this.#containers.forEach((container, i) => {
      at = writeValues(container, (this.#keys[i] as number) * 0x10000, out, at);
    });
    return out;
  }

  clone(): RoaringBitmap {
    return RoaringBitmap.#of([...this.#keys], this.#containers.map(copyOf));
  }

  /** Positions of either; both stay as they are. */
  union(other: RoaringBitmap): RoaringBitmap {
    const keys = [...new Set([...this.#keys, ...other.#keys])].toSorted((a, b) => a - b);
    return RoaringBitmap.#of(
      keys,
      keys.map((key) => {
        const ours = this.#containers[this.#find(key)];
        const theirs = other.#containers[other.#find(key)];
        if (ours === undefined || theirs === undefined) return copyOf((ours ?? theirs) as Container);
        return unionOf(ours, theirs);
      }),
    );
  }

  /** Positions of this that are not in the other; both stay as they are. */
  difference(other: RoaringBitmap): RoaringBitmap {
    const result = new RoaringBitmap();
    this.#containers.forEach((ours, i) => {
      const key = this.#keys[i] as number;
      const theirs = other.#containers[other.#find(key)];
      const rest = theirs === undefined ? copyOf(ours) : differenceOf(ours, theirs);
      if (rest.size === 0) return;
      result.#keys.push(key);
      result.#containers.push(rest);
    });
    return result;
  }

  /** Portable format, with runs where they are smallest. */
  serialize(): Uint8Array {
    return encodeContainers({ keys: this.#keys, containers: this.#containers });
  }

  /**
   * Reads the portable format; nothing may follow. The bitmap keeps parts of the bytes, which must stay as they are.
   * @throws FrazilError kind `corrupt`
   */
  static deserialize(bytes: Uint8Array): RoaringBitmap {
    const { bitmap, length } = RoaringBitmap.deserializePrefix(bytes);
    if (length !== bytes.length) {
      const message = `roaring bitmap: expected ${length} bytes, found ${bytes.length}`;
      throw new FrazilError("corrupt", "ROARING", message);
    }
    return bitmap;
  }

  /** Reads a bitmap that starts the bytes, as `deserialize` does, and says how many it took. */
  static deserializePrefix(bytes: Uint8Array): { bitmap: RoaringBitmap; length: number } {
    const { keys, containers, length } = decodeContainers(bytes);
    return { bitmap: RoaringBitmap.#of(keys, containers), length };
  }

  #containerFor(key: number): Container {
    if (this.#keys[this.#last] === key) return this.#containers[this.#last] as Container;
    let at = this.#find(key);
    if (at < 0) {
      at = -at - 1;
      this.#keys.splice(at, 0, key);
      this.#containers.splice(at, 0, emptyContainer());
    }
    this.#last = at;
    return this.#containers[at] as Container;
  }

  /** Index of a key, or -1 - (index where it belongs). */
  #find(key: number): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#keys[middle] as number) < key) low = middle + 1;
      else high = middle;
    }
    return this.#keys[low] === key ? low : -1 - low;
  }
}
