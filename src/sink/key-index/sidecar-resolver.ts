import { rm } from "node:fs/promises";
import { FrazilError, must } from "../../core/errors.ts";
import type { Log } from "../../core/runtime.ts";
import type { FileEntry } from "../file-table.ts";
import type { KeyResolver, Locations, ResolvedTable } from "../key-resolver.ts";
import { RecentKeys } from "../memory-resolver.ts";
import type { KeyBudget, Spillable } from "./key-budget.ts";
import { type Sidecar, sidecarBlocks, SidecarWriter } from "./sidecar.ts";
import type { SidecarFolder } from "./sidecar-folder.ts";
import { WantedKeys } from "./wanted-keys.ts";

/** Rows of one sidecar: 128 MiB of exact keys, which is what a damaged one costs to make again. */
const SIDECAR_ROWS = 16 << 20;

/** A sidecar with a smaller share of rows in live files is made again at the next spill. */
const SPARSE_BELOW = 0.5;

/** Reading the keys of this many rows takes a second or two: how often progress is told. */
const PROGRESS_ROWS = 5_000_000;

/** Sidecars that are lost while they are searched are made again so many times; then it is the disk. */
const SEARCH_ATTEMPTS = 3;

/**
 * Keys of any number: those of the files written last in memory, those of all others in sidecars on disk, which are searched from end to
 * end for all keys of a checkpoint at once. Sidecars are a cache: what is lost or damaged is read from the table again.
 */
export class SidecarResolver implements KeyResolver, Spillable {
  readonly #table: ResolvedTable;
  readonly #folder: SidecarFolder;
  readonly #budget: KeyBudget;
  readonly #log: Log;
  readonly #recent: RecentKeys;
  #sidecars: readonly Sidecar[];

  constructor(table: ResolvedTable, folder: SidecarFolder, budget: KeyBudget, log: Log) {
    this.#table = table;
    this.#folder = folder;
    this.#budget = budget;
    this.#log = log;
    this.#recent = new RecentKeys(table);
    this.#sidecars = folder.sidecars;
    budget.join(this);
  }

  get sizeBytes(): number {
    return this.#recent.sizeBytes;
  }

  sizeWith(keys: number): number {
    return this.#recent.sizeWith(keys);
  }

  async resolve(keys: Uint32Array): Promise<Locations> {
    for (let attempt = 1; ; attempt++) {
      await this.#drop(this.#sidecars.filter((sidecar) => this.#liveRows(sidecar) === 0));
      const locations = this.#recent.find(keys);
      const missing: number[] = [];
      for (let i = 0; i < locations.files.length; i++) if ((locations.files[i] as number) < 0) missing.push(i);
      if (missing.length === 0 || this.#sidecars.length === 0) return locations;
      const found = new LiveRows(this.#table, locations);
      const wanted = new WantedKeys(keys, missing, this.#folder.kind.words);
      if (await this.#search(wanted, found)) {
        if (found.extra.length > 0) {
          this.#log.error("keys have several live rows", { table: this.#table.name, rows: found.extra.length });
        }
        return { ...locations, extra: found.extra };
      }
      if (attempt === SEARCH_ATTEMPTS) {
        throw new FrazilError("unavailable", "KEY_CACHE", "sidecars of keys cannot be read back from the cache", {
          hint: "name a folder on another disk with cache:",
        });
      }
      await this.cover();
    }
  }

  async cover(): Promise<void> {
    await this.#drop(this.#sidecars.filter((sidecar) => this.#liveRows(sidecar) === 0));
    const covered = new Set(this.#sidecars.flatMap(({ files }) => files.map(({ path }) => path)));
    const unknown: [number, FileEntry][] = [];
    let rows = 0;
    for (const [number, entry] of this.#table.files) {
      if (this.#recent.covers(number) || covered.has(entry.live.file.filePath)) continue;
      unknown.push([number, entry]);
      rows += Number(entry.live.file.recordCount);
    }
    if (!this.#budget.fits(this, rows)) await this.#write(unknown.map(([, entry]) => entry));
    else for (const [number] of unknown) await this.#recent.learn(number);
  }

  async reserve(keys: number): Promise<void> {
    await this.#budget.makeRoom(this, keys);
  }

  place(keys: Uint32Array, file: number, positions: Uint32Array): void {
    this.#recent.place(keys, file, positions);
  }

  forget(keys: Uint32Array): void {
    this.#recent.forget(keys);
  }

  clear(): void {
    this.#recent.clear();
  }

  /** Moves the keys in memory to a sidecar, together with what is left of sparse ones. */
  async spill(): Promise<void> {
    const sparse = this.#sidecars.filter((sidecar) => this.#liveRows(sidecar) < sidecar.rows * SPARSE_BELOW);
    const kept = this.#sidecars.filter((sidecar) => !sparse.includes(sidecar));
    const covered = new Set(kept.flatMap(({ files }) => files.map(({ path }) => path)));
    const entries = [...this.#table.files].map(([, entry]) => entry);
    await this.#write(entries.filter(({ live }) => !covered.has(live.file.filePath)));
    this.#recent.clear();
    await this.#drop(sparse);
  }

  /** Whether every sidecar could be searched. */
  async #search(wanted: WantedKeys, found: LiveRows): Promise<boolean> {
    const lost: Sidecar[] = [];
    for (const sidecar of this.#sidecars) {
      const take = found.of(sidecar);
      let row = 0;
      try {
        for await (const block of sidecarBlocks(sidecar)) {
          wanted.search(block, row, take);
          row += block.length / sidecar.words;
        }
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        this.#log.warn("a sidecar of keys is lost and made again", { table: this.#table.name, error: message });
        lost.push(sidecar);
      }
    }
    await this.#drop(lost);
    return lost.length === 0;
  }

  async #write(entries: readonly FileEntry[]): Promise<void> {
    const progress = {
      rows: 0,
      told: 0,
      of: entries.reduce((sum, { live }) => sum + Number(live.file.recordCount), 0),
    };
    for (let start = 0; start < entries.length;) {
      let end = start;
      let rows = 0;
      do rows += Number(must(entries[end++], "an entry").live.file.recordCount);
      while (end < entries.length && rows < SIDECAR_ROWS);
      const sidecar = await this.#writeOne(entries.slice(start, end), progress);
      this.#sidecars = [...this.#sidecars, sidecar];
      start = end;
    }
  }

  async #writeOne(
    entries: readonly FileEntry[],
    progress: { rows: number; told: number; readonly of: number },
  ): Promise<Sidecar> {
    const writer = await SidecarWriter.open(this.#folder.newPath(), this.#folder.kind);
    try {
      for (const entry of entries) {
        for await (const keys of this.#table.read(entry)) {
          await writer.add(keys);
          progress.rows += keys.length / 4;
          if (progress.rows - progress.told < PROGRESS_ROWS) continue;
          progress.told = progress.rows;
          this.#log.info("reading keys", { table: this.#table.name, rows: progress.rows, of: progress.of });
        }
        writer.endFile(entry.live.file.filePath, Number(entry.live.file.fileSizeBytes));
      }
      return await writer.finish();
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }

  /** Rows of a sidecar in files that are live. A file that is not the one that was indexed makes the sidecar worthless. */
  #liveRows({ files }: Sidecar): number {
    let live = 0;
    for (const { path, rows, sizeBytes } of files) {
      const number = this.#table.files.numberOf(path);
      if (number === null) continue;
      const { file } = must(this.#table.files.get(number), "a numbered file is live").live;
      if (Number(file.recordCount) !== rows || Number(file.fileSizeBytes) !== sizeBytes) return 0;
      live += rows;
    }
    return live;
  }

  async #drop(sidecars: readonly Sidecar[]): Promise<void> {
    if (sidecars.length === 0) return;
    this.#sidecars = this.#sidecars.filter((sidecar) => !sidecars.includes(sidecar));
    // One that cannot be removed is found unusable at the next start.
    for (const { path } of sidecars) await rm(path, { force: true }).catch(() => {});
  }
}

/** Rows found in sidecars, as far as they are live. */
class LiveRows {
  readonly extra: { file: number; position: number }[] = [];
  readonly #table: ResolvedTable;
  readonly #locations: Locations;

  /** @param locations filled in. */
  constructor(table: ResolvedTable, locations: Locations) {
    this.#table = table;
    this.#locations = locations;
  }

  /** What to do with a key found in a row of a sidecar. */
  of({ files }: Sidecar): (index: number, row: number) => void {
    const starts: number[] = [];
    let next = 0;
    for (const { rows } of files) {
      starts.push(next);
      next += rows;
    }
    const numbers = files.map(({ path }) => this.#table.files.numberOf(path) ?? -1);
    return (index, row) => {
      const at = lastAtMost(starts, row);
      this.#take(index, numbers[at] as number, row - (starts[at] as number));
    };
  }

  #take(index: number, file: number, position: number): void {
    const { files: table } = this.#table;
    if (!table.isLive(file, position)) return;
    const { files, positions } = this.#locations;
    const [known, at] = [files[index] as number, positions[index] as number];
    if (known === file && at === position) return;
    const newer = known < 0 || this.#age(file) > this.#age(known);
    if (known >= 0) this.extra.push(newer ? { file: known, position: at } : { file, position });
    if (!newer) return;
    files[index] = file;
    positions[index] = position;
  }

  #age(file: number): bigint {
    return must(this.#table.files.get(file), "a live row's file").live.sequenceNumber;
  }
}

/** Index of the last of the ascending numbers that is not above `value`; of equal ones the last, as the others begin empty files. */
function lastAtMost(ascending: readonly number[], value: number): number {
  let low = 0;
  let high = ascending.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((ascending[middle] as number) <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}
