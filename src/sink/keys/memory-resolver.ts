import { mustBeLive } from "./file-table.ts";
import { Forwards, type MovedDataFile } from "./forwards.ts";
import { KeyMap } from "./key-map.ts";
import type { KeyResolver, Locations, ResolvedTable } from "./key-resolver.ts";
import { KEY_WORDS } from "./key-words.ts";

/** All keys of a table in memory, 40 bytes a key or so. */
export function memoryResolver(table: ResolvedTable): KeyResolver {
  const forwards = new Forwards(table.files);
  const keys = new RecentKeys(table, forwards);
  const known = { onDisk: () => false, inMemory: (path: string) => keys.coversPath(path) };
  return {
    resolve: async (wanted) => keys.find(wanted),
    async cover(stop) {
      keys.dropReplaced();
      for (const [number, { live, deleted }] of table.files) {
        if (keys.covers(number)) continue;
        const isDead = (position: number): boolean => deleted?.has(position) === true;
        if (forwards.inherited(live.file.filePath, number, isDead, known) === "nothing") await keys.learn(number, stop);
        else keys.adopt(number);
      }
      forwards.prune();
    },
    reserve: async () => {},
    place: (placed, file, positions) => keys.place(placed, file, positions),
    forget: (forgotten) => keys.forget(forgotten),
    forward: (moved) => forwards.add(moved),
    clear() {
      keys.clear();
      forwards.clear();
    },
    get sizeBytes() {
      return keys.sizeBytes;
    },
  };
}

/** The keys of some files of a table in memory. */
export class RecentKeys {
  readonly #table: ResolvedTable;
  readonly #forwards: Forwards;
  #map = new KeyMap();
  /** Files whose live rows are all in the map, under numbers of which some may be gone. */
  readonly #files = new Map<number, MovedDataFile>();
  /** Files whose live rows the map has as rows of files that were compacted into them. */
  readonly #adopted = new Map<number, string>();

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

  /** Whether a file of that path is covered, live or not. */
  coversPath(path: string): boolean {
    for (const { filePath } of this.#files.values()) if (filePath === path) return true;
    for (const adopted of this.#adopted.values()) if (adopted === path) return true;
    return false;
  }

  /** Forgets that files are covered which live on under another number, as rows of them live again: their keys may have moved on since. */
  dropReplaced(): void {
    const { files } = this.#table;
    const replaced = (number: number, path: string): boolean => (files.numberOf(path) ?? number) !== number;
    for (const [number, { filePath }] of this.#files) if (replaced(number, filePath)) this.#files.delete(number);
    for (const [number, path] of this.#adopted) if (replaced(number, path)) this.#adopted.delete(number);
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

  /** All rows of the file have been learned: one that was half read counts as unknown. */
  learned(number: number): void {
    this.#files.set(number, mustBeLive(this.#table.files, number).live.file);
  }

  /** A compacted file counts as covered, as the keys of its inputs are known. */
  adopt(number: number): void {
    this.#adopted.set(number, mustBeLive(this.#table.files, number).live.file.filePath);
  }

  /** What was adopted is to be looked at again, as keys that others knew are lost. */
  disown(): void {
    this.#adopted.clear();
  }

  place(keys: Uint32Array, file: number, positions: Uint32Array): void {
    // No key twice: afterwards there are as many at least.
    this.#map.reserve(positions.length);
    for (let i = 0; i < positions.length; i++) this.#map.put(keys, i * KEY_WORDS, file, positions[i] as number);
    this.#files.set(file, mustBeLive(this.#table.files, file).live.file);
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

  #locate(number: number, position: number): { readonly file: number; readonly position: number } | null {
    const file = this.#files.get(number);
    return file === undefined ? null : this.#forwards.locate(file.filePath, position);
  }
}
