import { must } from "../../src/core/errors.ts";
import { type FileEntry, FileTable } from "../../src/sink/keys/file-table.ts";
import type { MovedRows } from "../../src/sink/keys/forwards.ts";
import type { ResolvedTable } from "../../src/sink/keys/key-resolver.ts";
import { type LiveFile, RoaringBitmap } from "../../table-format/index.ts";

/** A table of keys alone, as key resolvers see it: files with rows, deleted or not, and a map that says where each key's live row is. */
export class KeyedTable {
  readonly resolved: ResolvedTable;
  /** Files whose keys have been read. */
  readonly reads: string[] = [];
  readonly #files = new FileTable();
  readonly #ids = new Map<string, readonly number[]>();
  readonly #rows = new Map<number, readonly [number, number]>();
  #next = 0;

  /** @param words the keys of ids. */
  constructor(words: (ids: readonly number[]) => Uint32Array) {
    const ids = this.#ids;
    const reads = this.reads;
    this.resolved = {
      name: "shop.keys",
      files: this.#files,
      async *read({ live }: FileEntry) {
        reads.push(live.file.filePath);
        const all = must(ids.get(live.file.filePath), "a file of the table");
        for (let start = 0; start < all.length; start += 100) yield words(all.slice(start, start + 100));
      },
    };
  }

  rowOf(id: number): readonly [number, number] | null {
    return this.#rows.get(id) ?? null;
  }

  /** A new file with a row for each id; the ids' old rows are deleted. @returns its number. */
  add(ids: readonly number[]): number {
    this.delete(ids);
    return this.#append(ids);
  }

  delete(ids: readonly number[]): void {
    for (const id of ids) {
      const row = this.#rows.get(id);
      if (row === undefined) continue;
      const entry = must(this.#files.get(row[0]), "a live row's file");
      entry.deleted ??= new RoaringBitmap();
      entry.deleted.addMany([row[1]]);
      this.#rows.delete(id);
    }
  }

  clear(): void {
    for (const [number] of [...this.#files]) this.#files.remove(number);
    this.#rows.clear();
  }

  /** A compaction: the live rows of one file, last first, become a new file. */
  rewrite(pick: number): void {
    const chosen = this.#pick(pick);
    if (chosen === null) return;
    const [number, entry] = chosen;
    const ids = must(this.#ids.get(entry.live.file.filePath), "a file of the table");
    const live = ids.filter((_, position) => this.#files.isLive(number, position)).toReversed();
    this.#files.remove(number);
    if (live.length > 0) this.#append(live);
  }

  /**
   * A compaction that keeps the order of rows: plans it over some files, calls `meanwhile`, and commits. Rows deleted meanwhile are deleted in
   * the new file; an input whose last row died meanwhile is gone before. `moved` is called first.
   */
  compact(picks: readonly number[], meanwhile: () => void, moved: (moved: MovedRows) => void): void {
    const chosen = [...new Set(picks.map((pick) => this.#pick(pick)?.[0]))].filter((number) => number !== undefined);
    const inputs = chosen.map((number) => {
      const { live, deleted } = must(this.#files.get(number), "a chosen file");
      return { number, file: live.file, deleted: deleted?.clone() ?? null };
    });
    const from = inputs.map(({ file, deleted }) => ({ file, deleted }));
    const rows = inputs.flatMap(({ number, file, deleted }) =>
      must(this.#ids.get(file.filePath), "a file of the table").flatMap((id, position) =>
        deleted?.has(position) === true ? [] : [{ id, number, position }],
      ),
    );
    meanwhile();
    for (const { number } of inputs) {
      const entry = this.#files.get(number);
      if (entry !== null && entry.deleted?.cardinality === Number(entry.live.file.recordCount)) {
        this.#files.remove(number);
      }
    }
    const died = rows.map(({ number, position }) => !this.#files.isLive(number, position));
    const filePath = this.#nextPath();
    moved({ from, to: { filePath } });
    for (const { number } of inputs) if (this.#files.get(number) !== null) this.#files.remove(number);
    if (rows.length === 0) return;
    this.#append(
      rows.map(({ id }) => id),
      filePath,
      died,
    );
  }

  /** A rollback in part: the deleted rows of one file whose keys have no row now live again, under a new number of the file. */
  undelete(pick: number): void {
    const chosen = this.#pick(pick);
    if (chosen === null) return;
    const [number, { live, deleted }] = chosen;
    if (deleted === null) return;
    const ids = must(this.#ids.get(live.file.filePath), "a file of the table");
    const still = [...deleted.toArray()].map(Number).filter((position) => this.#rows.has(ids[position] as number));
    const bitmap = new RoaringBitmap();
    bitmap.addMany(still);
    this.#files.remove(number);
    const again = this.#files.add({ live, deletes: [], deleted: bitmap });
    for (const [position, id] of ids.entries()) {
      if (this.#files.isLive(again, position)) this.#rows.set(id, [again, position]);
    }
  }

  #nextPath(): string {
    return `mem://data/${this.#next++}.parquet`;
  }

  #append(ids: readonly number[], filePath = this.#nextPath(), died: readonly boolean[] = []): number {
    const file = { filePath, recordCount: BigInt(ids.length), fileSizeBytes: BigInt(ids.length * 8) };
    this.#ids.set(filePath, ids);
    const live = { file, sequenceNumber: BigInt(this.#next) } as LiveFile;
    const deleted = RoaringBitmap.from(died.flatMap((isDead, position) => (isDead ? [position] : [])));
    const number = this.#files.add({ live, deletes: [], deleted: deleted.cardinality === 0 ? null : deleted });
    for (const [position, id] of ids.entries()) if (died[position] !== true) this.#rows.set(id, [number, position]);
    return number;
  }

  #pick(pick: number): readonly [number, FileEntry] | null {
    const all = [...this.#files];
    return all.length === 0 ? null : must(all[pick % all.length], "a file");
  }
}
