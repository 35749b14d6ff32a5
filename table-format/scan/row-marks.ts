import { RoaringBitmap } from "../puffin/roaring.ts";

/** Rows of the files of a list, marked by the file's place in the list and the row's position in the file. */
export class RowMarks {
  readonly #files: (RoaringBitmap | undefined)[] = [];
  #count = 0;

  /** Rows that are marked. */
  get count(): number {
    return this.#count;
  }

  /** Marks a row that is not marked yet. */
  mark(file: number, position: number): void {
    const marked = (this.#files[file] ??= new RoaringBitmap());
    marked.add(position);
    this.#count++;
  }

  has(file: number, position: number): boolean {
    return this.#files[file]?.has(position) === true;
  }

  /** How many rows of a file are marked. */
  countOf(file: number): number {
    return this.#files[file]?.cardinality ?? 0;
  }
}
