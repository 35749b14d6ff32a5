import { sortEntries } from "./sort-entries.ts";

/** Words of a hit where it is sorted: the row, the key's number, one that is not used. */
const STRIDE = 3;

/** What a search has found: rows of a sidecar and the numbers of wanted keys that they have. */
export class Hits {
  #words = new Uint32Array(STRIDE << 12);
  #end = 0;

  add(index: number, row: number): void {
    if (this.#end === this.#words.length) {
      const larger = new Uint32Array(this.#end * 2);
      larger.set(this.#words);
      this.#words = larger;
    }
    this.#words[this.#end] = row;
    this.#words[this.#end + 1] = index;
    this.#end += STRIDE;
  }

  /** Visits all in the order of the rows: whoever asks which of them are live goes through each file's deletes once, and finds them in a CPU's cache. */
  visit(found: (index: number, row: number) => void): void {
    const count = this.#end / STRIDE;
    const sorted = sortEntries(this.#words, count, STRIDE, 32, new Uint32Array(this.#end));
    for (let at = 0; at < this.#end; at += STRIDE) found(sorted[at + 1] as number, sorted[at] as number);
  }
}
