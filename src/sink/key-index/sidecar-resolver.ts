import { rm } from "node:fs/promises";
import { RoaringBitmap } from "../../../table-format/index.ts";
import { FrazilError, must } from "../../core/errors.ts";
import type { Clock, Log, Runtime } from "../../core/runtime.ts";
import type { FileEntry } from "../keys/file-table.ts";
import { Forwards, type MovedRows } from "../keys/forwards.ts";
import type { KeyResolver, Locations, ResolvedTable } from "../keys/key-resolver.ts";
import { KEY_WORDS } from "../keys/key-words.ts";
import { RecentKeys } from "../keys/recent-keys.ts";
import { entryWords } from "./blocks.ts";
import type { KeyBudget, Spillable } from "./key-budget.ts";
import { LiveRows } from "./live-rows.ts";
import { readAhead } from "./read-ahead.ts";
import { ReadProgress } from "./read-progress.ts";
import { type CoveredFile, isFull, refuseScarcity, type Sidecar } from "./sidecar.ts";
import { SidecarBuilder } from "./sidecar-builder.ts";
import { coveredFile, FilesInUse, isCovered, nextMerge } from "./sidecar-files.ts";
import type { SidecarFolder } from "./sidecar-folder.ts";
import { LostSidecar, mergeSidecars } from "./sidecar-merge.ts";
import type { SearchThread } from "./search-thread.ts";
import { searchSidecar } from "./sidecar-search.ts";
import { sortEntries } from "./sort-entries.ts";
import { storedEntries } from "./stored-keys.ts";

/** Rows whose keys are read into one sidecar: a minute's work, which is what an interruption or a damaged block costs. */
const SIDECAR_ROWS = 1 << 28;

/** Sidecars that are lost while they are searched are made again so many times; then it is the disk. */
const SEARCH_ATTEMPTS = 3;

/** Live files with their numbers. */
type NumberedFiles = readonly (readonly [number, FileEntry])[];

interface Reading {
  readonly progress: ReadProgress;
  readonly stop: AbortSignal | undefined;
}

/**
 * Keys of any number: those of the files written last in memory, those of all others in sidecars on disk, in each of which every key of a
 * checkpoint is looked up: a key may, against the rules, have several live rows. Sidecars are a cache: what is lost or damaged is read
 * from the table again.
 */
export class SidecarResolver implements KeyResolver, Spillable {
  readonly #table: ResolvedTable;
  readonly #folder: SidecarFolder;
  readonly #budget: KeyBudget;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #thread: SearchThread | null;
  readonly #forwards: Forwards;
  readonly #recent: RecentKeys;
  readonly #inUse: FilesInUse;
  /** Files known to be covered by sidecars: under the same number rows only die. */
  readonly #covered = new Set<number>();
  #sidecars: readonly Sidecar[];
  /** A sidecar was lost, and the keys that it had are not all known again: the table may have been out of reach. */
  #lacking = false;
  /** Keys that are being read into memory, and whether keys are being read at all. */
  #learning = 0;
  #busy = false;

  constructor(
    table: ResolvedTable,
    folder: SidecarFolder,
    budget: KeyBudget,
    { log, clock }: Pick<Runtime, "log" | "clock">,
    thread: SearchThread | null = null,
  ) {
    this.#table = table;
    this.#folder = folder;
    this.#budget = budget;
    this.#log = log;
    this.#clock = clock;
    this.#thread = thread;
    this.#forwards = new Forwards(table.files);
    this.#recent = new RecentKeys(table, this.#forwards);
    this.#inUse = new FilesInUse(table.files, this.#forwards);
    this.#sidecars = folder.sidecars;
    budget.join(this);
  }

  get sizeBytes(): number {
    return this.#learning === 0 ? this.#recent.sizeBytes : this.#recent.sizeWith(this.#learning);
  }

  get busy(): boolean {
    return this.#busy;
  }

  sizeWith(keys: number): number {
    return this.#recent.sizeWith(keys);
  }

  async resolve(keys: Uint32Array): Promise<Locations> {
    const { words, seed } = this.#folder.kind;
    for (let attempt = 1; ; attempt++) {
      // What is not known would count as nowhere, and get a second row.
      if (this.#lacking) await this.cover();
      await this.#dropUnused();
      const locations = this.#recent.find(keys);
      const missing = unknownIn(locations);
      if (missing.length === 0 || this.#sidecars.length === 0) return locations;
      const found = new LiveRows(this.#table, this.#forwards, locations);
      const entries = storedEntries(keys, missing, words, seed);
      const scratch = new Uint32Array(entries.length);
      const wanted = sortEntries(entries, missing.length, entryWords(words), 32, scratch);
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
    }
  }

  async cover(stop?: AbortSignal): Promise<void> {
    this.#busy = true;
    try {
      await this.#cover(stop);
      this.#lacking = false;
    } finally {
      this.#busy = false;
      this.#learning = 0;
    }
  }

  async #cover(stop: AbortSignal | undefined): Promise<void> {
    await this.#dropUnused();
    await this.#dropFarMoved();
    this.#recent.dropReplaced();
    const unknown: [number, FileEntry][] = [];
    let rows = 0;
    for (const [number, entry] of this.#table.files) {
      if (this.#covers(number, entry)) continue;
      unknown.push([number, entry]);
      rows += Number(entry.live.file.recordCount);
    }
    this.#recent.settle();
    this.#forwards.prune(this.#knownPaths());
    const progress = new ReadProgress(this.#table.name, unknown.length, rows, this.#clock, this.#log);
    const reading = { progress, stop };
    if (this.#budget.fits(this, rows)) return this.#learn(unknown, rows, reading);
    try {
      await this.#write(unknown, reading);
    } catch (error) {
      if (!isFull(error) || !this.#budget.fitsForNow(this, rows)) throw error;
      this.#sayFull(error);
      await this.#learn(unknown, rows, reading);
    }
  }

  async reserve(keys: number): Promise<void> {
    try {
      await this.#budget.makeRoom(this, keys);
    } catch (error) {
      if (!isFull(error) || !this.#budget.fitsForNow(this, keys)) throw error;
      this.#sayFull(error);
    }
  }

  place(keys: Uint32Array, file: number, positions: Uint32Array): void {
    this.#recent.place(keys, file, positions);
  }

  forget(keys: Uint32Array): void {
    this.#recent.forget(keys);
  }

  forward(moved: MovedRows): void {
    this.#forwards.add(moved);
  }

  clear(): void {
    this.#recent.clear();
    this.#forwards.clear();
    this.#covered.clear();
  }

  /** Moves the keys in memory to a sidecar, and merges what has become many. */
  async spill(): Promise<void> {
    this.#recent.settle(1);
    if (this.#recent.size > 0) await this.#writeRecent();
    this.#recent.clear();
    for (;;) {
      await this.#dropUnused();
      const group = nextMerge(this.#sidecars, this.#inUse);
      if (group === null || !(await this.#merge(group))) return;
    }
  }

  async #learn(files: NumberedFiles, rows: number, reading: Reading): Promise<void> {
    this.#learning = rows;
    for await (const { index, firstRow, keys } of this.#read(files, reading)) {
      this.#recent.learnRows(must(files[index], "a file")[0], keys, firstRow);
      this.#learning -= keys.length / KEY_WORDS;
    }
    for (const [number] of files) this.#recent.learned(number);
  }

  /** The keys of files, with progress. */
  async *#read(files: NumberedFiles, { progress, stop }: Reading): ReturnType<typeof readAhead> {
    const entries = files.map(([, entry]) => entry);
    for await (const some of readAhead(entries, this.#table.read, () => this.#budget.readAheadBytes)) {
      stop?.throwIfAborted();
      yield some;
      progress.add(some.keys.length / KEY_WORDS, some.last);
    }
  }

  /** Whether the keys of a file's live rows are known. */
  #covers(number: number, { live, deleted }: FileEntry): boolean {
    if (this.#recent.covers(number) || this.#covered.has(number)) return true;
    const { file } = live;
    const isDead = (position: number): boolean => deleted?.has(position) === true;
    const known = {
      onDisk: (input: typeof file, isInputDead: typeof isDead) => isCovered(this.#sidecars, input, isInputDead),
      inMemory: (path: string) => this.#recent.knows(path),
    };
    if (isCovered(this.#sidecars, file, isDead)) {
      this.#covered.add(number);
      return true;
    }
    const from = this.#forwards.inherited(file.filePath, number, isDead, known);
    if (from === "disk") this.#covered.add(number);
    if (from === "memory" || from === "mixed") this.#recent.adopt(number, from === "memory");
    return from !== "nothing";
  }

  /** Whether every sidecar could be searched. */
  async #search(wanted: Uint32Array, found: LiveRows): Promise<boolean> {
    const lost: Sidecar[] = [];
    for (const sidecar of this.#sidecars) {
      try {
        await searchSidecar(sidecar, wanted, this.#clock, this.#thread, found.of(sidecar));
      } catch (error) {
        refuseScarcity(error);
        this.#sayLost(error);
        lost.push(sidecar);
      }
    }
    await this.#lose(lost);
    return lost.length === 0;
  }

  /** Makes sidecars of the keys of whole files. */
  async #write(files: NumberedFiles, reading: Reading): Promise<void> {
    for (let start = 0; start < files.length;) {
      let end = start;
      let rows = 0;
      do rows += Number(must(files[end++], "a file")[1].live.file.recordCount);
      while (end < files.length && rows < SIDECAR_ROWS);
      const some = files.slice(start, end);
      const sidecar = await this.#writeOne(some, rows, reading);
      this.#sidecars = [...this.#sidecars, sidecar];
      for (const [number] of some) this.#covered.add(number);
      start = end;
    }
  }

  async #writeOne(files: NumberedFiles, expected: number, reading: Reading): Promise<Sidecar> {
    const builder = new SidecarBuilder(await this.#folder.newPath(), this.#folder.kind, expected);
    try {
      let row = 0;
      // In the order of the files: rows are numbered through.
      for await (const { keys } of this.#read(files, reading)) {
        await builder.addRows(keys, row);
        row += keys.length / KEY_WORDS;
      }
      return await builder.finish(files.map(([, { live }]) => coveredFile(live.file, null)));
    } finally {
      await builder.close();
    }
  }

  /** Makes a sidecar of the keys in memory. */
  async #writeRecent(): Promise<void> {
    const builder = new SidecarBuilder(await this.#folder.newPath(), this.#folder.kind, this.#recent.size);
    try {
      const files = this.#recent.filesInUse();
      const starts = new Map<string, { readonly start: number; readonly present: Uint8Array }>();
      let next = 0;
      for (const { filePath, recordCount } of files) {
        const rows = Number(recordCount);
        starts.set(filePath, { start: next, present: new Uint8Array(Math.ceil(rows / 8)) });
        next += rows;
      }
      this.#recent.forEachLive((keys, at, path, position) => {
        const file = starts.get(path);
        if (file === undefined) return;
        builder.add(keys, at, file.start + position);
        (file.present[position >>> 3] as number) |= 1 << (position & 7);
      });
      const covered = files.map((file) => {
        const { present } = must(starts.get(file.filePath), "a file in use");
        return coveredFile(file, absentIn(present, Number(file.recordCount)));
      });
      this.#sidecars = [...this.#sidecars, await builder.finish(covered)];
    } finally {
      await builder.close();
    }
  }

  /** Whether the sidecars became one; if not, one of them is lost. */
  async #merge(group: readonly Sidecar[]): Promise<boolean> {
    try {
      const { kind } = this.#folder;
      const keep = (file: CoveredFile): boolean => this.#inUse.has(file) === true;
      const merged = await mergeSidecars(await this.#folder.newPath(), kind, group, keep);
      this.#sidecars = [...this.#sidecars.filter((sidecar) => !group.includes(sidecar)), merged];
      for (const { path } of group) await remove(path);
      return true;
    } catch (error) {
      if (isFull(error)) {
        // They serve as they are.
        this.#sayFull(error);
        return false;
      }
      if (!(error instanceof LostSidecar)) throw error;
      refuseScarcity(error.cause);
      this.#sayLost(error);
      await this.#lose([error.sidecar]);
      await this.cover();
      return false;
    }
  }

  #sayFull(error: FrazilError): void {
    this.#log.warn("the disk of the cache of keys is full", { table: this.#table.name, error: error.message });
  }

  #sayLost(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#log.warn("a sidecar of keys is lost and made again", { table: this.#table.name, error: message });
  }

  /** Sidecars whose files are all gone. */
  async #dropUnused(): Promise<void> {
    const unused = this.#sidecars.filter((sidecar) => this.#inUse.rowsOf(sidecar) === 0);
    if (unused.length === 0) return;
    this.#sidecars = this.#sidecars.filter((sidecar) => !unused.includes(sidecar));
    for (const { path } of unused) await remove(path);
  }

  /**
   * The sidecar whose rows compaction has moved most, while the ways of moved rows take too much memory: its keys are read again, as rows of
   * the files in which they are now.
   */
  async #dropFarMoved(): Promise<void> {
    if (this.#forwards.sizeBytes <= this.#budget.waysBytes) return;
    const movedRows = ({ files }: Sidecar): number =>
      files.reduce((sum, { path, rows }) => sum + (this.#forwards.movedToLive(path) === null ? 0 : rows), 0);
    const [farthest] = this.#sidecars.toSorted((a, b) => movedRows(b) - movedRows(a));
    if (farthest === undefined || movedRows(farthest) === 0) return;
    this.#log.info("keys are read again, as compaction has moved their rows", { table: this.#table.name });
    await this.#lose([farthest]);
  }

  *#knownPaths(): Iterable<string> {
    yield* this.#recent.paths();
    for (const { files } of this.#sidecars) for (const { path } of files) yield path;
  }

  async #lose(sidecars: readonly Sidecar[]): Promise<void> {
    if (sidecars.length === 0) return;
    this.#lacking = true;
    this.#covered.clear();
    this.#recent.disown();
    this.#sidecars = this.#sidecars.filter((sidecar) => !sidecars.includes(sidecar));
    for (const { path } of sidecars) await remove(path);
  }
}

/** Places of the keys that are nowhere. */
function unknownIn({ files }: Locations): Uint32Array {
  const unknown = new Uint32Array(files.length);
  let end = 0;
  for (let i = 0; i < files.length; i++) if ((files[i] as number) < 0) unknown[end++] = i;
  return unknown.subarray(0, end);
}

/** The rows whose bits are not set. */
function absentIn(present: Uint8Array, rows: number): RoaringBitmap {
  const absent = new RoaringBitmap();
  for (let row = 0; row < rows; row++) {
    if ((((present[row >>> 3] as number) >>> (row & 7)) & 1) === 0) absent.add(row);
  }
  return absent;
}

/** One that cannot be removed is found unusable at the next start. */
async function remove(path: string): Promise<void> {
  await rm(path, { force: true }).catch(() => {});
}
