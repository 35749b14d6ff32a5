import { mustBeLive } from "./file-table.ts";
import { KeyMap } from "./key-map.ts";
import type { KeyResolver, Locations, ResolvedTable } from "./key-resolver.ts";
import { KEY_WORDS } from "./key-words.ts";

/** All keys of a table in memory, 40 bytes a key or so. */
export function memoryResolver(table: ResolvedTable): KeyResolver {
  const keys = new RecentKeys(table);
  return {
    resolve: async (wanted) => keys.find(wanted),
    async cover() {
      for (const [number] of table.files) if (!keys.covers(number)) await keys.learn(number);
    },
    reserve: async () => {},
    place: (placed, file, positions) => keys.place(placed, file, positions),
    forget: (forgotten) => keys.forget(forgotten),
    clear: () => keys.clear(),
    get sizeBytes() {
      return keys.sizeBytes;
    },
  };
}

/** The keys of some files of a table in memory. */
export class RecentKeys {
  readonly #table: ResolvedTable;
  #map = new KeyMap();
  /** Files whose live rows are all in the map. */
  readonly #files = new Set<number>();

  constructor(table: ResolvedTable) {
    this.#table = table;
  }

  get sizeBytes(): number {
    return this.#map.sizeBytes;
  }

  /** What the size will be with so many more keys. */
  sizeWith(keys: number): number {
    return this.#map.sizeWith(keys);
  }

  covers(file: number): boolean {
    return this.#files.has(file);
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
      if (!table.isLive(file, position)) continue;
      files[i] = file;
      positions[i] = position;
    }
    return { files, positions, extra: [] };
  }

  /** Reads a file's keys. A file that was half read counts as unknown. */
  async learn(number: number): Promise<void> {
    const { files, read } = this.#table;
    const entry = mustBeLive(files, number);
    let first = 0;
    for await (const keys of read(entry)) {
      const length = keys.length / KEY_WORDS;
      for (let row = 0; row < length; row++) {
        if (entry.deleted?.has(first + row) !== true) this.#map.put(keys, row * KEY_WORDS, number, first + row);
      }
      first += length;
    }
    this.#files.add(number);
  }

  place(keys: Uint32Array, file: number, positions: Uint32Array): void {
    for (let i = 0; i < positions.length; i++) this.#map.put(keys, i * KEY_WORDS, file, positions[i] as number);
    this.#files.add(file);
  }

  forget(keys: Uint32Array): void {
    for (let at = 0; at < keys.length; at += KEY_WORDS) this.#map.remove(keys, at);
  }

  clear(): void {
    this.#map = new KeyMap();
    this.#files.clear();
  }
}
