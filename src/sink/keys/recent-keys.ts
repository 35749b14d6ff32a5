import { mustBeLive } from "./file-table.ts";
import { type Forwards, type Inherited, type MovedDataFile, movedDataFile } from "./forwards.ts";
import { KeyMap, type Place } from "./key-map.ts";
import type { Locations, ResolvedTable } from "./key-resolver.ts";
import { KEY_WORDS } from "./key-words.ts";

/** What is kept of so many files that are gone, or of one for so many keys, is not worth a walk through all keys. */
const FILES_GONE = 8;
const KEYS_A_FILE_GONE = 10_000;

interface Adopted {
  readonly path: string;
  /** All of its keys are in memory. */
  readonly whole: boolean;
}

/** The keys of some files of a table in memory. */
export class RecentKeys {
  readonly #table: ResolvedTable;
  readonly #forwards: Forwards;
  #map = new KeyMap();
  /** Files whose live rows are all in the map, under numbers of which some may be gone. */
  readonly #files = new Map<number, MovedDataFile>();
  /** Files whose live rows the map, or with it what is on disk, has as rows of files that were compacted into them. */
  readonly #adopted = new Map<number, Adopted>();

  constructor(table: ResolvedTable, forwards: Forwards) {
    this.#table = table;
    this.#forwards = forwards;
  }

  get sizeBytes(): number {
    return this.#map.sizeBytes;
  }

  get size(): number {
    return this.#map.size;
  }

  /** What the size will be with so many more keys. */
  sizeWith(keys: number): number {
    return this.#map.sizeWith(keys);
  }

  covers(file: number): boolean {
    return this.#files.has(file) || this.#adopted.has(file);
  }

  /** What is known of the keys of a file of that path, live or not. */
  knows(path: string): Exclude<Inherited, "disk"> {
    for (const { filePath } of this.#files.values()) if (filePath === path) return "memory";
    for (const adopted of this.#adopted.values()) if (adopted.path === path) return adopted.whole ? "memory" : "mixed";
    return "nothing";
  }

  /** Paths of the files that keys are known to be rows of. */
  *paths(): Iterable<string> {
    for (const { filePath } of this.#files.values()) yield filePath;
  }

  /** Forgets that files are covered which live on under another number, as rows of them live again: their keys may have moved on since. */
  dropReplaced(): void {
    const { files } = this.#table;
    const replaced = (number: number, path: string): boolean => (files.numberOf(path) ?? number) !== number;
    for (const [number, { filePath }] of this.#files) if (replaced(number, filePath)) this.#files.delete(number);
    for (const [number, { path }] of this.#adopted) if (replaced(number, path)) this.#adopted.delete(number);
  }

  find(keys: Uint32Array): Locations {
    const { files: table } = this.#table;
    const count = keys.length / KEY_WORDS;
    const files = new Int32Array(count).fill(-1);
    const positions = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      const slot = this.#map.find(keys, i * KEY_WORDS);
      if (slot < 0) continue;
      const file = this.#map.fileAt(slot);
      const position = this.#map.positionAt(slot);
      if (table.isLive(file, position)) {
        files[i] = file;
        positions[i] = position;
        continue;
      }
      const moved = this.#locate(file, position);
      // Nowhere: the key may still have a row that only others know (a compacted file that somebody replaced).
      if (moved === null) continue;
      files[i] = moved.file;
      positions[i] = moved.position;
    }
    return { files, positions, extra: [] };
  }

  /** Reads a file's keys. */
  async learn(number: number, stop?: AbortSignal): Promise<void> {
    let first = 0;
    for await (const keys of this.#table.read(mustBeLive(this.#table.files, number))) {
      stop?.throwIfAborted();
      this.learnRows(number, keys, first);
      first += keys.length / KEY_WORDS;
    }
    this.learned(number);
  }

  /** Takes in the keys of some rows of a file that follow each other, as far as they are live. */
  learnRows(number: number, keys: Uint32Array, first: number): void {
    const { deleted } = mustBeLive(this.#table.files, number);
    const length = keys.length / KEY_WORDS;
    for (let row = 0; row < length; row++) {
      if (deleted?.has(first + row) !== true) this.#map.put(keys, row * KEY_WORDS, number, first + row);
    }
  }

  /** The keys of all live rows of the file are in the map; one that was half read counts as unknown. */
  learned(number: number): void {
    this.#files.set(number, movedDataFile(mustBeLive(this.#table.files, number).live.file));
  }

  /** A compacted file counts as covered, as the keys of its inputs are known. @param whole all of them in memory. */
  adopt(number: number, whole: boolean): void {
    this.#adopted.set(number, { path: mustBeLive(this.#table.files, number).live.file.filePath, whole });
  }

  /**
   * Makes keys of compacted files keys of the files that their rows went to, once so many files are gone: what is kept of files, and of the
   * ways of their rows, follows the files that live, and not those that ever were. Dead rows are forgotten: under its number a row of a file
   * only dies.
   */
  settle(filesGone = Math.max(FILES_GONE, this.#map.size / KEYS_A_FILE_GONE)): void {
    const { files: table } = this.#table;
    const gone = [...this.#files.keys()].filter((number) => table.get(number) === null);
    if (gone.length < filesGone) return;
    const stay = new Set<number>();
    this.#map.move((file, position) => {
      if (table.get(file) !== null) return undefined;
      const place = this.#locate(file, position);
      if (place === null || this.#isWhole(place.file)) return place;
      stay.add(file);
      return undefined;
    });
    for (const number of gone) if (!stay.has(number)) this.#files.delete(number);
    for (const [number, { whole }] of this.#adopted) {
      const isGone = table.get(number) === null;
      if (whole && !isGone) this.learned(number);
      if (whole || isGone) this.#adopted.delete(number);
    }
  }

  /** Whether all keys of a file's live rows are in memory. */
  #isWhole(number: number): boolean {
    return this.#files.has(number) || this.#adopted.get(number)?.whole === true;
  }

  /** What was adopted is to be looked at again, as keys that others knew are lost. */
  disown(): void {
    this.#adopted.clear();
  }

  place(keys: Uint32Array, file: number, positions: Uint32Array): void {
    // No key twice: afterwards there are as many at least.
    this.#map.reserve(positions.length);
    for (let i = 0; i < positions.length; i++) this.#map.put(keys, i * KEY_WORDS, file, positions[i] as number);
    this.learned(file);
  }

  forget(keys: Uint32Array): void {
    for (let at = 0; at < keys.length; at += KEY_WORDS) this.#map.remove(keys, at);
  }

  /** The files that keys are rows of: those that are live or live on in others. */
  filesInUse(): MovedDataFile[] {
    const inUse = new Map<string, MovedDataFile>();
    for (const [number, file] of this.#files) {
      const { filePath } = file;
      if (this.#table.files.numberOf(filePath) === number || this.#forwards.movedToLive(filePath) !== null) {
        inUse.set(filePath, file);
      }
    }
    return [...inUse.values()];
  }

  /** Visits the keys of live rows: where a key's words are, the path of the file that they are known to be a row of, and the row. */
  forEachLive(visit: (keys: Uint32Array, at: number, path: string, position: number) => void): void {
    const { files: table } = this.#table;
    this.#map.forEach((keys, at, number, position) => {
      const file = this.#files.get(number);
      if (file === undefined) return;
      if (table.isLive(number, position) || this.#locate(number, position) !== null) {
        visit(keys, at, file.filePath, position);
      }
    });
  }

  clear(): void {
    this.#map = new KeyMap();
    this.#files.clear();
    this.#adopted.clear();
  }

  #locate(number: number, position: number): Place | null {
    const file = this.#files.get(number);
    return file === undefined ? null : this.#forwards.locate(file.filePath, position);
  }
}
