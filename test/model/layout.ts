/** Gives small integers of a model's state their places. The first byte is the number of the broken invariant. */
export class Layout {
  #next = 1;

  field(): number {
    return this.#next++;
  }

  /** The places of `count` records of `size` bytes. */
  records(count: number, size: number): readonly number[] {
    const first = this.#next;
    this.#next += count * size;
    return Array.from({ length: count }, (_, index) => first + index * size);
  }

  get sizeBytes(): number {
    return Math.ceil(this.#next / 4) * 4;
  }
}

/** Lists what `make` gives for 0 to `count` - 1. */
export function each<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

/** Takes one of a budget; false when it is used up. */
export function spend(state: Uint8Array, budget: number): boolean {
  if (state[budget] === 0) return false;
  state[budget]!--;
  return true;
}
