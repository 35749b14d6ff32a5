import { KeyMap } from "../keys/key-map.ts";

/** Buckets that a window is cut into: what is forgotten goes a bucket at a time, and a key is looked for in two windows' worth of them. */
const BUCKETS_A_WINDOW = 4;

/** Times of rows: `KeyMap` holds two numbers of 32 bits a key. */
const LOW = 2 ** 32;

/**
 * Keys of rows by the time of the row, as long as they lie in a window behind the newest: 128-bit keys (`keyWords`) in typed arrays, some
 * 40 bytes each, for each bucket of time.
 */
export class KeyWindow {
  readonly #windowMs: number;
  readonly #bucketMs: number;
  readonly #buckets = new Map<number, KeyMap>();
  #newestMs = 0;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
    this.#bucketMs = Math.ceil(windowMs / BUCKETS_A_WINDOW);
  }

  /** The latest time of all rows; 0 without any. */
  get newestMs(): number {
    return this.#newestMs;
  }

  get sizeBytes(): number {
    let bytes = 0;
    for (const bucket of this.#buckets.values()) bytes += bucket.sizeBytes;
    return bytes;
  }

  /**
   * Whether a row of the key is known whose time lies less than a window from `timeMs` and less than one behind `newestMs`: what is older
   * than that may be forgotten already or not.
   */
  has(keys: Uint32Array, at: number, timeMs: number, newestMs: number): boolean {
    const after = Math.max(newestMs, timeMs) - this.#windowMs;
    const first = Math.floor(Math.max(after, timeMs - this.#windowMs) / this.#bucketMs);
    const last = Math.floor((timeMs + this.#windowMs) / this.#bucketMs);
    for (let number = first; number <= last; number++) {
      const bucket = this.#buckets.get(number);
      const slot = bucket?.find(keys, at) ?? -1;
      if (bucket === undefined || slot < 0) continue;
      const known = bucket.fileAt(slot) * LOW + bucket.positionAt(slot);
      if (known > after && Math.abs(timeMs - known) < this.#windowMs) return true;
    }
    return false;
  }

  /** Takes a row's key. @param timeMs not before 1970. */
  add(keys: Uint32Array, at: number, timeMs: number): void {
    if (timeMs > this.#newestMs) {
      const before = Math.floor((this.#newestMs - this.#windowMs) / this.#bucketMs);
      this.#newestMs = timeMs;
      if (Math.floor((timeMs - this.#windowMs) / this.#bucketMs) !== before) this.#forget();
    } else if (timeMs <= this.#newestMs - this.#windowMs) {
      return;
    }
    const number = Math.floor(timeMs / this.#bucketMs);
    let bucket = this.#buckets.get(number);
    if (bucket === undefined) this.#buckets.set(number, (bucket = new KeyMap()));
    const slot = bucket.find(keys, at);
    // Of two rows of a key in one bucket, which is shorter than the window, the later one stays in it for longer.
    if (slot >= 0 && bucket.fileAt(slot) * LOW + bucket.positionAt(slot) >= timeMs) return;
    bucket.put(keys, at, Math.floor(timeMs / LOW), timeMs % LOW);
  }

  /** Drops the buckets all of whose rows are older than the window. */
  #forget(): void {
    for (const number of this.#buckets.keys()) {
      if ((number + 1) * this.#bucketMs <= this.#newestMs - this.#windowMs) this.#buckets.delete(number);
    }
  }
}
