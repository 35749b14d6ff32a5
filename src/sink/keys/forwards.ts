import type { DataFile, RoaringBitmap } from "../../../table-format/index.ts";
import type { FileTable } from "./file-table.ts";
import type { Place } from "./key-map.ts";

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

/** The same without what else a data file has, metrics above all: it is kept for as long as keys are known by it. */
export function movedDataFile({ filePath, recordCount, fileSizeBytes }: MovedDataFile): MovedDataFile {
  return { filePath, recordCount, fileSizeBytes };
}

/** Where else the keys of a file's rows may be known. */
export interface KnownFiles {
  /** Whether the keys of all rows that are not dead are on disk. */
  onDisk(file: MovedDataFile, isDead: IsDead): boolean;
  /** Whether the keys of a file's live rows are in memory, all of them or (`mixed`) those that are not on disk. */
  inMemory(path: string): Exclude<Inherited, "disk">;
}

export type IsDead = (position: number) => boolean;

interface Step extends MovedFile {
  readonly to: string;
  /** Row of `to` that its first row became. */
  readonly base: number;
}

/** What a file's keys are known from. */
export type Inherited = "nothing" | "disk" | "mixed" | "memory";

/** What a way takes beside its deleted rows: an object, two paths that are mostly shared, and places in two maps. */
const STEP_BYTES = 400;
/** So many ways are kept without asking whether they are of use. */
const STEPS_KEPT = 16;

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
  #sizeBytes = 0;
  #pruneFrom = STEPS_KEPT;

  constructor(files: FileTable) {
    this.#files = files;
  }

  /** Of memory, about. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** To be told after the commit, before the table's new head is followed; told later, it is of little use, and does no harm. */
  add({ from, to }: MovedRows): void {
    let base = 0;
    const steps: Step[] = [];
    for (const { file, deleted } of from) {
      const step = { file: movedDataFile(file), deleted, to: to.filePath, base };
      steps.push(step);
      this.#sizeBytes += sizeOf(step);
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
  locate(path: string, position: number): Place | null {
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
    let found: Inherited | null = null;
    for (const input of inputs) {
      const { file, deleted, base } = input;
      const isInputDead = (row: number): boolean =>
        deleted?.has(row) === true || isDead(base + row - (deleted?.rank(row) ?? 0));
      const from = this.#knownOf(file, memoryCounts, isInputDead, known);
      if (from !== "nothing") found = found === null || found === from ? from : "mixed";
      // An input that is gone as its last row died has nothing to tell.
      else if (!allDead(input, isInputDead)) return "nothing";
    }
    return found ?? "disk";
  }

  #knownOf(file: MovedDataFile, memoryCounts: boolean, isDead: IsDead, known: KnownFiles): Inherited {
    if (known.onDisk(file, isDead)) return "disk";
    const inMemory = memoryCounts ? known.inMemory(file.filePath) : "nothing";
    return inMemory === "nothing" ? this.#inheritedOf(file.filePath, memoryCounts, isDead, known) : inMemory;
  }

  /**
   * Forgets ways that lead nowhere any more, or that no key goes, once there are many: a job that runs for months has a way for each file
   * that it ever wrote.
   * @param known paths of the files that keys are known to be rows of.
   */
  prune(known: Iterable<string>): void {
    if (this.#steps.size < this.#pruneFrom) return;
    const onTheWay = new Set<string>();
    for (const path of known) {
      let step = this.#steps.get(path);
      while (step !== undefined && !onTheWay.has(step.to)) {
        onTheWay.add(step.to);
        step = this.#steps.get(step.to);
      }
    }
    for (const [output, inputs] of this.#inputs) {
      // One that has not come up yet is still to be asked what its keys are known from.
      const isOfUse = onTheWay.has(output) || !this.#numbers.has(output);
      if (isOfUse && this.#mayLive(output)) continue;
      this.#inputs.delete(output);
      this.#numbers.delete(output);
      for (const step of inputs) {
        this.#sizeBytes -= sizeOf(step);
        if (this.#steps.get(step.file.filePath) === step) this.#steps.delete(step.file.filePath);
      }
    }
    this.#pruneFrom = this.#steps.size * 2 + STEPS_KEPT;
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
    this.#sizeBytes = 0;
    this.#pruneFrom = STEPS_KEPT;
  }
}

function sizeOf({ file, deleted }: Step): number {
  return STEP_BYTES + Math.min(2 * (deleted?.cardinality ?? 0), Number(file.recordCount) / 8);
}

function allDead({ file, deleted }: MovedFile, isDead: IsDead): boolean {
  const rows = Number(file.recordCount);
  if (deleted?.cardinality === rows) return true;
  for (let row = 0; row < rows; row++) if (!isDead(row)) return false;
  return true;
}
