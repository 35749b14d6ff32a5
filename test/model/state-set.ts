/** States of one chunk: a power of two, so that a state is found by shifts. */
const CHUNK_BITS = 14;
const CHUNK_STATES = 1 << CHUNK_BITS;

/**
 * The states that were seen, in the order in which they were found, each with the state and the action that it was first reached by. They are told apart by
 * 64 bits of hash in an open-addressing table: of ten million states two are mistaken for one with a chance of about one in 370,000.
 */
export class StateSet {
  readonly #words: number;
  readonly #sizeBytes: number;
  readonly #chunks: Uint8Array[] = [];
  readonly #parents: Uint32Array[] = [];
  readonly #actions: Uint8Array[] = [];
  #size = 0;
  /** Two words of hash and the state's number + 1, by slot; 0 = free. */
  #slots = new Uint32Array(3 << 16);
  #mask = (1 << 16) - 1;

  /** @param sizeBytes of a state; a multiple of 4 */
  constructor(sizeBytes: number) {
    if (sizeBytes % 4 !== 0) throw new Error(`a multiple of 4 expected, found ${sizeBytes}`);
    this.#sizeBytes = sizeBytes;
    this.#words = sizeBytes / 4;
  }

  get size(): number {
    return this.#size;
  }

  /** The number of a state, which is new if it was the size before. The state's bytes must begin at a multiple of 4. */
  add(state: Uint8Array, parent: number, action: number): number {
    const words = wordsOf(state);
    let a = 0x9e3779b9;
    let b = 0x85ebca6b;
    for (let i = 0; i < this.#words; i++) {
      const word = words[i] as number;
      a = Math.imul(a ^ word, 0xcc9e2d51);
      a ^= a >>> 15;
      b = Math.imul(b + word, 0x1b873593);
      b ^= b >>> 13;
    }
    a = Math.imul(a ^ (a >>> 16), 0x85ebca6b);
    a = (a ^ (a >>> 13)) >>> 0;
    b = Math.imul(b ^ (b >>> 16), 0xc2b2ae35);
    b = (b ^ (b >>> 15)) >>> 0;
    if (this.#size * 10 > this.#mask * 6) this.#grow();
    const slots = this.#slots;
    for (let slot = a & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const at = slot * 3;
      const number = slots[at + 2] as number;
      if (number === 0) {
        slots[at] = a;
        slots[at + 1] = b;
        slots[at + 2] = this.#size + 1;
        return this.#append(state, parent, action);
      }
      if (slots[at] === a && slots[at + 1] === b) return number - 1;
    }
  }

  read(index: number, into: Uint8Array): void {
    const chunk = this.#chunks[index >>> CHUNK_BITS] as Uint8Array;
    const at = (index & (CHUNK_STATES - 1)) * this.#sizeBytes;
    for (let i = 0; i < this.#sizeBytes; i++) into[i] = chunk[at + i] as number;
  }

  parent(index: number): number {
    return (this.#parents[index >>> CHUNK_BITS] as Uint32Array)[index & (CHUNK_STATES - 1)] as number;
  }

  action(index: number): number {
    return (this.#actions[index >>> CHUNK_BITS] as Uint8Array)[index & (CHUNK_STATES - 1)] as number;
  }

  #append(state: Uint8Array, parent: number, action: number): number {
    const index = this.#size++;
    const within = index & (CHUNK_STATES - 1);
    if (within === 0) {
      this.#chunks.push(new Uint8Array(CHUNK_STATES * this.#sizeBytes));
      this.#parents.push(new Uint32Array(CHUNK_STATES));
      this.#actions.push(new Uint8Array(CHUNK_STATES));
    }
    const chunk = index >>> CHUNK_BITS;
    (this.#chunks[chunk] as Uint8Array).set(state, within * this.#sizeBytes);
    (this.#parents[chunk] as Uint32Array)[within] = parent;
    (this.#actions[chunk] as Uint8Array)[within] = action;
    return index;
  }

  #grow(): void {
    const old = this.#slots;
    this.#mask = this.#mask * 2 + 1;
    this.#slots = new Uint32Array((this.#mask + 1) * 3);
    for (let from = 0; from < old.length; from += 3) {
      if (old[from + 2] === 0) continue;
      let slot = (old[from] as number) & this.#mask;
      while (this.#slots[slot * 3 + 2] !== 0) slot = (slot + 1) & this.#mask;
      this.#slots.set(old.subarray(from, from + 3), slot * 3);
    }
  }
}

let lastState: Uint8Array | null = null;
let lastWords = new Uint32Array(0);

/** The same bytes as words; of the same buffer, as it comes again and again, the view is kept. */
function wordsOf(state: Uint8Array): Uint32Array {
  if (state === lastState) return lastWords;
  lastState = state;
  lastWords = new Uint32Array(state.buffer, state.byteOffset, state.byteLength / 4) as Uint32Array<ArrayBuffer>;
  return lastWords;
}
