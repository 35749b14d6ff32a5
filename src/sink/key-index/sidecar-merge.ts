import { type FileHandle, open } from "node:fs/promises";
import { BLOCK_BYTES, BLOCK_WORDS, entriesPerBlock, entryWords } from "./blocks.ts";
import { checkBlock, type CoveredFile, lost, type Sidecar, type SidecarKind, SidecarWriter } from "./sidecar.ts";

const READ_BLOCKS = 128;

/** Entries between two writes. */
const OUT_ENTRIES = 8 << 10;

/** A sidecar that cannot be read while it is merged. */
export class LostSidecar extends Error {
  readonly sidecar: Sidecar;

  constructor(sidecar: Sidecar, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.sidecar = sidecar;
  }
}

/**
 * Makes one sidecar of several, without the files that are not kept: a merge in one pass, which reads and writes sequentially.
 *
 * @throws LostSidecar
 */
export async function mergeSidecars(
  path: string,
  kind: SidecarKind,
  sidecars: readonly Sidecar[],
  keep: (file: CoveredFile) => boolean,
): Promise<Sidecar> {
  const stride = entryWords(kind.words);
  const writer = await SidecarWriter.open(
    path,
    kind,
    sidecars.reduce((sum, { entries }) => sum + entries, 0),
  );
  const cursors: Cursor[] = [];
  try {
    const files: CoveredFile[] = [];
    let rows = 0;
    for (const sidecar of sidecars) {
      const cursor = await Cursor.open(sidecar, keep, rows);
      cursors.push(cursor);
      for (const file of sidecar.files.filter(keep)) {
        files.push(file);
        rows += file.rows;
      }
      await cursor.fill();
    }
    const out = new Uint32Array(OUT_ENTRIES * stride);
    let used = 0;
    let live = cursors.filter((cursor) => !cursor.done);
    while (live.length > 0) {
      let least = live[0] as Cursor;
      for (let i = 1; i < live.length; i++) {
        const other = live[i] as Cursor;
        if (other.word < least.word) least = other;
      }
      if (least.copy(out, used * stride)) used++;
      if (used === OUT_ENTRIES) {
        await writer.add(out, used);
        used = 0;
      }
      least.advance();
      if (!least.atEnd) continue;
      await least.fill();
      if (least.done) live = live.filter((cursor) => cursor !== least);
    }
    await writer.add(out, used);
    return await writer.finish(files);
  } catch (error) {
    await writer.abort();
    throw error;
  } finally {
    for (const cursor of cursors) await cursor.close();
  }
}

/** Reads a sidecar's entries in order. */
class Cursor {
  /** First word of the present entry. */
  word = 0;
  /** Whether all that was read has been used. */
  atEnd = false;
  /** Whether there is nothing more. */
  done = false;
  readonly #sidecar: Sidecar;
  readonly #handle: FileHandle;
  readonly #stride: 3 | 5;
  /** First row of each file, and what to add to the rows of those that are kept (NaN: not kept). */
  readonly #starts: Float64Array;
  readonly #shifts: Float64Array;
  readonly #bytes = new Uint8Array(READ_BLOCKS * BLOCK_BYTES);
  readonly #words = new Uint32Array(this.#bytes.buffer);
  /** Blocks read so far, and of the last read: blocks, the present block, entries left in it. */
  #read = 0;
  #inBuffer = 0;
  #block = 0;
  #left = 0;
  #at = 0;
  #file = 0;

  private constructor(sidecar: Sidecar, handle: FileHandle, starts: Float64Array, shifts: Float64Array) {
    this.#sidecar = sidecar;
    this.#handle = handle;
    this.#stride = entryWords(sidecar.words);
    this.#starts = starts;
    this.#shifts = shifts;
  }

  static async open(sidecar: Sidecar, keep: (file: CoveredFile) => boolean, firstRow: number): Promise<Cursor> {
    const starts = new Float64Array(sidecar.files.length + 1);
    const shifts = new Float64Array(sidecar.files.length);
    let to = firstRow;
    for (const [index, file] of sidecar.files.entries()) {
      const start = starts[index] as number;
      starts[index + 1] = start + file.rows;
      shifts[index] = keep(file) ? to - start : Number.NaN;
      if (keep(file)) to += file.rows;
    }
    try {
      return new Cursor(sidecar, await open(sidecar.path, "r"), starts, shifts);
    } catch (error) {
      throw new LostSidecar(sidecar, error);
    }
  }

  /** Reads on. */
  async fill(): Promise<void> {
    const { fence, path } = this.#sidecar;
    const blocks = Math.min(READ_BLOCKS, fence.length - this.#read);
    this.done = blocks === 0;
    if (this.done) return;
    try {
      const { bytesRead } = await this.#handle.read(this.#bytes, 0, blocks * BLOCK_BYTES, this.#read * BLOCK_BYTES);
      if (bytesRead !== blocks * BLOCK_BYTES) throw lost(path, "it ends early");
      for (let i = 0; i < blocks; i++) checkBlock(this.#sidecar, this.#words, this.#read + i, i);
    } catch (error) {
      throw new LostSidecar(this.#sidecar, error);
    }
    this.#read += blocks;
    this.#inBuffer = blocks;
    this.#block = -1;
    this.atEnd = false;
    this.#nextBlock();
  }

  /** Writes the present entry with its new row; not if its file is not kept. */
  copy(out: Uint32Array, to: number): boolean {
    const words = this.#words;
    const at = this.#at;
    const stride = this.#stride;
    const row = words[at + stride - 1] as number;
    const shift = this.#shiftOf(row);
    if (Number.isNaN(shift)) return false;
    out[to] = words[at] as number;
    out[to + 1] = words[at + 1] as number;
    if (stride === 5) {
      out[to + 2] = words[at + 2] as number;
      out[to + 3] = words[at + 3] as number;
    }
    out[to + stride - 1] = row + shift;
    return true;
  }

  advance(): void {
    if (--this.#left === 0) {
      this.#nextBlock();
      return;
    }
    this.#at += this.#stride;
    this.word = this.#words[this.#at] as number;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  #nextBlock(): void {
    if (++this.#block === this.#inBuffer) {
      this.atEnd = true;
      return;
    }
    const perBlock = entriesPerBlock(this.#sidecar.words);
    const number = this.#read - this.#inBuffer + this.#block;
    this.#left = Math.min(perBlock, this.#sidecar.entries - number * perBlock);
    this.#at = this.#block * BLOCK_WORDS + 1;
    this.word = this.#words[this.#at] as number;
  }

  #shiftOf(row: number): number {
    const starts = this.#starts;
    if (row < (starts[this.#file] as number) || row >= (starts[this.#file + 1] as number)) {
      this.#file = lastAtMost(starts, this.#shifts.length, row);
    }
    return this.#shifts[this.#file] as number;
  }
}

/** Index of the last of the first `count` ascending numbers that is not above `value`; of equal ones the last, as the others begin empty files. */
export function lastAtMost(ascending: ArrayLike<number>, count: number, value: number): number {
  let low = 0;
  let high = count - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((ascending[middle] as number) <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}
