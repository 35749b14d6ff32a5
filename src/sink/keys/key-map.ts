import { KEY_WORDS } from "./key-words.ts";
import { finish } from "./murmur128.ts";

const EMPTY = 0;
const REMOVED = 1;
/** Stored file numbers start here. */
const FIRST = 2;
const MIN_CAPACITY = 1024;

/** A row of a data file, by the number that the file has in the table. */
export interface Place {
  readonly file: number;
  readonly position: number;
}

/**
 * 128-bit keys to (file number, position), in typed arrays with open addressing: 24 bytes a slot, at most 62 % full.
 * Keys are given as four words at an index of an array, so that nothing is allocated per key.
 */
export class KeyMap {
  #keys: Uint32Array;
  #files: Uint32Array;
  #positions: Uint32Array;
  #mask: number;
  #used = 0;
  #size = 0;

  constructor(expected = 0) {
    const capacity = capacityFor(expected);
    this.#keys = new Uint32Array(capacity * KEY_WORDS);
    this.#files = new Uint32Array(capacity);
    this.#positions = new Uint32Array(capacity);
    this.#mask = capacity - 1;
  }

  /** Number of keys. */
  get size(): number {
    return this.#size;
  }

  get sizeBytes(): number {
    return this.#files.length * (KEY_WORDS + 2) * 4;
  }

  /** What the size will be with so many more keys. */
  sizeWith(keys: number): number {
    return capacityFor(this.#size + keys) * (KEY_WORDS + 2) * 4;
  }

  /** A slot for `fileAt` and `positionAt`, or -1 when the key is absent. Valid until the next `put`. */
  find(keys: Uint32Array, at: number): number {
    const a = keys[at] as number;
    const b = keys[at + 1] as number;
    const c = keys[at + 2] as number;
    const d = keys[at + 3] as number;
    const own = this.#keys;
    const files = this.#files;
    const mask = this.#mask;
    for (let slot = hash(a, b, c, d) & mask; ; slot = (slot + 1) & mask) {
      const file = files[slot] as number;
      if (file === EMPTY) return -1;
      if (file === REMOVED) continue;
      const from = slot * KEY_WORDS;
      if (own[from] === a && own[from + 1] === b && own[from + 2] === c && own[from + 3] === d) return slot;
    }
  }

  fileAt(slot: number): number {
    return (this.#files[slot] as number) - FIRST;
  }

  positionAt(slot: number): number {
    return this.#positions[slot] as number;
  }

  /** Sets the key's place, whether it was there or not. */
  put(keys: Uint32Array, at: number, file: number, position: number): void {
    const found = this.find(keys, at);
    if (found >= 0) {
      this.#files[found] = file + FIRST;
      this.#positions[found] = position;
      return;
    }
    if ((this.#used + 1) * 8 > this.#files.length * 5) this.#resize(this.#size * 2);
    const slot = this.#freeSlot(keys, at);
    if (this.#files[slot] === EMPTY) this.#used++;
    // Word by word: a subarray for `set` would be an object per key.
    const own = this.#keys;
    const to = slot * KEY_WORDS;
    own[to] = keys[at] as number;
    own[to + 1] = keys[at + 1] as number;
    own[to + 2] = keys[at + 2] as number;
    own[to + 3] = keys[at + 3] as number;
    this.#files[slot] = file + FIRST;
    this.#positions[slot] = position;
    this.#size++;
  }

  /** Takes room for so many keys in all at once, which spares growing step by step. */
  reserve(keys: number): void {
    if (capacityFor(keys) > this.#files.length) this.#resize(keys);
  }

  /** Visits every key: where its words are, and its place. */
  forEach(visit: (keys: Uint32Array, at: number, file: number, position: number) => void): void {
    for (let slot = 0; slot < this.#files.length; slot++) {
      const file = this.#files[slot] as number;
      if (file >= FIRST) visit(this.#keys, slot * KEY_WORDS, file - FIRST, this.#positions[slot] as number);
    }
  }

  /** Gives keys another place. @param placeOf asked with each key's place: undefined leaves it, null forgets the key. */
  move(placeOf: (file: number, position: number) => Place | null | undefined): void {
    for (let slot = 0; slot < this.#files.length; slot++) {
      const file = this.#files[slot] as number;
      if (file < FIRST) continue;
      const place = placeOf(file - FIRST, this.#positions[slot] as number);
      if (place === undefined) continue;
      if (place === null) {
        this.#files[slot] = REMOVED;
        this.#size--;
        continue;
      }
      this.#files[slot] = place.file + FIRST;
      this.#positions[slot] = place.position;
    }
  }

  /** Forgets a key; an absent one is no error. */
  remove(keys: Uint32Array, at: number): void {
    const slot = this.find(keys, at);
    if (slot < 0) return;
    this.#files[slot] = REMOVED;
    this.#size--;
  }

  #freeSlot(keys: Uint32Array, at: number): number {
    let slot =
      hash(keys[at] as number, keys[at + 1] as number, keys[at + 2] as number, keys[at + 3] as number) & this.#mask;
    while ((this.#files[slot] as number) >= FIRST) slot = (slot + 1) & this.#mask;
    return slot;
  }

  /** Moves all keys to fresh arrays with room for so many: as many as there are and more, without the removed slots. */
  #resize(room: number): void {
    const [keys, files, positions] = [this.#keys, this.#files, this.#positions];
    const capacity = capacityFor(room);
    this.#keys = new Uint32Array(capacity * KEY_WORDS);
    this.#files = new Uint32Array(capacity);
    this.#positions = new Uint32Array(capacity);
    this.#mask = capacity - 1;
    this.#used = this.#size;
    for (let old = 0; old < files.length; old++) {
      if ((files[old] as number) < FIRST) continue;
      const at = old * KEY_WORDS;
      const slot = this.#freeSlot(keys, at);
      for (let word = 0; word < KEY_WORDS; word++) {
        this.#keys[slot * KEY_WORDS + word] = keys[at + word] as number;
      }
      this.#files[slot] = files[old] as number;
      this.#positions[slot] = positions[old] as number;
    }
  }
}

function capacityFor(keys: number): number {
  let capacity = MIN_CAPACITY;
  while (capacity * 5 < keys * 8) capacity *= 2;
  return capacity;
}

function hash(a: number, b: number, c: number, d: number): number {
  return finish(a ^ Math.imul(b, 0x9e3779b1) ^ Math.imul(c, 0x85ebca77) ^ Math.imul(d, 0xc2b2ae3d));
}
