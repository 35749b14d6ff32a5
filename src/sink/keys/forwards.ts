import type { DataFile, RoaringBitmap } from "../../../table-format/index.ts";
import type { FileTable } from "./file-table.ts";

/** Rows that a compaction moved: those of `from` that were not deleted, in this order, are the rows of `to`. */
export interface MovedRows {
  readonly from: readonly MovedFile[];
  readonly to: Pick<DataFile, "filePath">;
}

/** An input of a compaction with the rows that were deleted from it in the snapshot that was read. */
export interface MovedFile {
  readonly file: MovedDataFile;
  readonly deleted: RoaringBitmap | null;
}

/** What is compared of a data file: one of the same path that differs in the rest is another file. */
export type MovedDataFile = Pick<DataFile, "filePath" | "recordCount" | "fileSizeBytes">;

/** Where else the keys of a file's rows may be known. */
export interface KnownFiles {
  /** Whether the keys of all rows that are not dead are on disk. */
  onDisk(file: MovedDataFile, isDead: IsDead): boolean;
  /** Whether the keys of a file's live rows are in memory. */
  inMemory(path: string): boolean;
}

export type IsDead = (position: number) => boolean;

interface Step extends MovedFile {
  readonly to: string;
  /** Row of `to` that its first row became. */
  readonly base: number;
}

/** What a file's keys are known from. */
export type Inherited = "nothing" | "disk" | "memory";

/**
 * The ways of rows through compactions: row `old` of an input is row base + old - rank(old) of the output, where rank counts the deleted rows
 * before it. That row `p` of a file holds a key stays true for ever, so what is known of the inputs answers for the output: its keys
 * need not be read, if the keys of all its live rows are known.
 */
export class Forwards {
  readonly #files: FileTable;
  readonly #steps = new Map<string, Step>();
  readonly #inputs = new Map<string, readonly Step[]>();
  /** Numbers under which outputs were first seen. */
  readonly #numbers = new Map<string, number>();

  constructor(files: FileTable) {
    this.#files = files;
  }

  /** To be told after the commit, before the table's new head is followed; told later, it is of little use, and does no harm. */
  add({ from, to }: MovedRows): void {
    let base = 0;
    const steps: Step[] = [];
    for (const { file, deleted } of from) {
      const step = { file, deleted, to: to.filePath, base };
      steps.push(step);
      this.#steps.set(file.filePath, step);
      base += Number(file.recordCount) - (deleted?.cardinality ?? 0);
    }
    this.#inputs.set(to.filePath, steps);
    // Told late, it has been seen, and rows of it that live again under another number may have moved on meanwhile.
    const seen = this.#files.numberOf(to.filePath);
    if (seen === null) this.#numbers.delete(to.filePath);
    else this.#numbers.set(to.filePath, seen);
  }

  /** The live row that a row has become, perhaps itself; null when there is none. */
  locate(path: string, position: number): { readonly file: number; readonly position: number } | null {
    let at = path;
    let row = position;
    for (;;) {
      const file = this.#files.numberOf(at);
      if (file !== null) return this.#files.isLive(file, row) ? { file, position: row } : null;
      const step = this.#steps.get(at);
      if (step === undefined || step.deleted?.has(row) === true) return null;
      row = step.base + row - (step.deleted?.rank(row) ?? 0);
      at = step.to;
    }
  }

  /** The file as it was when its rows were moved, if they were moved to a file that is live. */
  movedToLive(path: string): MovedDataFile | null {
    const first = this.#steps.get(path);
    for (let step = first; step !== undefined; step = this.#steps.get(step.to)) {
      if (this.#files.numberOf(step.to) !== null) return first?.file ?? null;
    }
    return null;
  }

  /**
   * What the keys of a live file's live rows are known from, if all of them are known of the rows that they were. What is known in memory counts
   * only for the number under which the file is first seen: under another one rows live again whose keys may have moved on since.
   */
  inherited(path: string, number: number, isDead: IsDead, known: KnownFiles): Inherited {
    if (!this.#inputs.has(path)) return "nothing";
    const first = this.#numbers.get(path) ?? number;
    this.#numbers.set(path, first);
    return this.#inheritedOf(path, first === number, isDead, known);
  }

  #inheritedOf(path: string, memoryCounts: boolean, isDead: IsDead, known: KnownFiles): Inherited {
    const inputs = this.#inputs.get(path);
    if (inputs === undefined) return "nothing";
    let found: Inherited = "disk";
    for (const input of inputs) {
      const { file, deleted, base } = input;
      const isInputDead = (row: number): boolean =>
        deleted?.has(row) === true || isDead(base + row - (deleted?.rank(row) ?? 0));
      if (known.onDisk(file, isInputDead)) continue;
      if (memoryCounts && known.inMemory(file.filePath)) found = "memory";
      else {
        const before = this.#inheritedOf(file.filePath, memoryCounts, isInputDead, known);
        if (before === "memory") found = "memory";
        // An input that is gone as its last row died has nothing to tell.
        else if (before === "nothing" && !allDead(input, isInputDead)) return "nothing";
      }
    }
    return found;
  }

  /** Forgets ways that lead nowhere any more. */
  prune(): void {
    for (const [output, inputs] of this.#inputs) {
      if (this.#mayLive(output)) continue;
      this.#inputs.delete(output);
      this.#numbers.delete(output);
      for (const step of inputs) {
        if (this.#steps.get(step.file.filePath) === step) this.#steps.delete(step.file.filePath);
      }
    }
  }

  /** Whether a file, or one that its rows went on to, is live or may come up yet. */
  #mayLive(path: string): boolean {
    let at = path;
    for (;;) {
      if (this.#files.numberOf(at) !== null) return true;
      const step = this.#steps.get(at);
      if (step === undefined) return !this.#numbers.has(at);
      at = step.to;
    }
  }

  clear(): void {
    this.#steps.clear();
    this.#inputs.clear();
    this.#numbers.clear();
  }
}

function allDead({ file, deleted }: MovedFile, isDead: IsDead): boolean {
  const rows = Number(file.recordCount);
  if (deleted?.cardinality === rows) return true;
  for (let row = 0; row < rows; row++) if (!isDead(row)) return false;
  return true;
}
