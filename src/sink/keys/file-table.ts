import type { LiveFile, RoaringBitmap } from "../../../table-format/index.ts";
import { must } from "../../core/errors.ts";

/** A data file of the table with the rows deleted from it. */
export interface FileEntry {
  readonly live: LiveFile;
  /** The delete files that are about it: its deletion vector, or position delete files. */
  deletes: readonly LiveFile[];
  /** The positions that they delete; null without delete files. */
  deleted: RoaringBitmap | null;
}

/**
 * The table's live data files under dense numbers. A number is never used again, so that a stale key location cannot be mistaken for a
 * row of another file.
 */
export class FileTable {
  readonly #entries: (FileEntry | null)[] = [];
  readonly #numbers = new Map<string, number>();

  add(entry: FileEntry): number {
    const number = this.#entries.length;
    this.#entries.push(entry);
    this.#numbers.set(entry.live.file.filePath, number);
    return number;
  }

  /** The entry, or null when the file is no longer live. */
  get(number: number): FileEntry | null {
    return this.#entries[number] ?? null;
  }

  /** Whether a row is one that readers see. */
  isLive(number: number, position: number): boolean {
    const entry = this.get(number);
    return entry !== null && (entry.deleted === null || !entry.deleted.has(position));
  }

  numberOf(path: string): number | null {
    return this.#numbers.get(path) ?? null;
  }

  remove(number: number): void {
    const entry = must(this.#entries[number], `file ${number} is live`);
    this.#entries[number] = null;
    this.#numbers.delete(entry.live.file.filePath);
  }

  /** Live files with their numbers. */
  *[Symbol.iterator](): Iterator<readonly [number, FileEntry]> {
    for (const number of this.#numbers.values()) yield [number, must(this.#entries[number], `file ${number} is live`)];
  }

  get size(): number {
    return this.#numbers.size;
  }
}

/** The entry of a file that must be live. */
export function mustBeLive(files: FileTable, number: number): FileEntry {
  return must(files.get(number), `file ${number} is live`);
}
