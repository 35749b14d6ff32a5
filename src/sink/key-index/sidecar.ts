import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { z } from "zod";
import { FrazilError } from "../../core/errors.ts";
import { BLOCK_BYTES, BLOCK_WORDS, checksumOf, entriesPerBlock, entryWords, isBlock } from "./blocks.ts";

/** Bytes written at once. */
const WRITE_BYTES = 1 << 20;

/** The rows of a sidecar's files are numbered through; a number has 32 bits. */
export const MAX_SIDECAR_ROWS = 2 ** 32 - 1;

const MAGIC = "frazil-keys-3\n";
/** Length and checksum of the trailer, then the magic. */
const END_BYTES = 8 + MAGIC.length;
const MAX_TRAILER_BYTES = 64 << 20;

const trailerSchema = z.strictObject({
  seed: z.int().nonnegative(),
  signature: z.string(),
  /** Words of a stored key. */
  words: z.union([z.literal(2), z.literal(4)]),
  entries: z.int().nonnegative(),
  /** Checksum of the fence. */
  fenceCheck: z.int().nonnegative(),
  files: z.array(
    z.strictObject({
      path: z.string(),
      sizeBytes: z.int().nonnegative(),
      rows: z.int().nonnegative(),
      /** Rows whose keys are not here (a roaring bitmap in base64): they were deleted. Absent: every row's key is here. */
      leftOut: z.string().optional(),
    }),
  ),
});

/**
 * What a sidecar says of itself. A sidecar is a local file with the keys of rows of some data files, each with the number of its row when the
 * files' rows are numbered through, in the order of the stored keys' first words (`storeKey`). Blocks of `BLOCK_BYTES` hold a checksum
 * and as many entries as fit, zeros behind the last one; behind the blocks stands the fence, the first word of each block; behind that this
 * as JSON. Words are little-endian. A sidecar never changes; it is written under a temporary name and renamed.
 *
 * So a key is found by one short read, mostly from the page cache; the fence (4 bytes for each 1,024) is all that stays in memory. The
 * search from end to end that was here before looked at every key of the table at every checkpoint (3.4 s for a checkpoint of 100,000 keys
 * of 200 million, all its work counted); looking them up takes 0.25 to 0.4 s while the file is in the page cache.
 */
type Trailer = z.output<typeof trailerSchema>;

/** A data file whose keys are in a sidecar. */
export type CoveredFile = Trailer["files"][number];

export interface Sidecar extends Trailer {
  readonly path: string;
  /** First word of each block. */
  readonly fence: Uint32Array;
}

/** The identity of keys: those of sidecars with another seed or signature cannot be compared. */
export type SidecarKind = Pick<Trailer, "seed" | "signature" | "words">;

/** Writes a sidecar under `path`; nothing is there before `finish`. */
export class SidecarWriter {
  readonly #path: string;
  readonly #kind: SidecarKind;
  readonly #handle;
  readonly #buffer = new Uint32Array(WRITE_BYTES / 4);
  readonly #bytes = Buffer.from(this.#buffer.buffer);
  readonly #perBlock: number;
  #fence: Uint32Array;
  #blocks = 0;
  #entries = 0;
  /** Blocks in the buffer that are full, and entries of the one behind them. */
  #full = 0;
  #inBlock = 0;

  private constructor(path: string, kind: SidecarKind, handle: Awaited<ReturnType<typeof open>>, expected: number) {
    this.#path = path;
    this.#kind = kind;
    this.#handle = handle;
    this.#perBlock = entriesPerBlock(kind.words);
    this.#fence = new Uint32Array(Math.ceil(expected / this.#perBlock) + 1);
  }

  /** @param expected entries, roughly. */
  static async open(path: string, kind: SidecarKind, expected: number): Promise<SidecarWriter> {
    const handle = await written(async () => {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      return open(`${path}.tmp`, "wx", 0o600);
    });
    return new SidecarWriter(path, kind, handle, expected);
  }

  /** Appends entries, whose first words ascend from call to call. */
  async add(entries: Uint32Array, count: number): Promise<void> {
    const stride = entryWords(this.#kind.words);
    let at = 0;
    while (at < count) {
      const some = Math.min(count - at, this.#perBlock - this.#inBlock);
      const to = this.#full * BLOCK_WORDS + 1 + this.#inBlock * stride;
      this.#buffer.set(entries.subarray(at * stride, (at + some) * stride), to);
      this.#inBlock += some;
      at += some;
      if (this.#inBlock === this.#perBlock) this.#closeBlock();
      if (this.#full * BLOCK_BYTES === WRITE_BYTES) await this.#flush();
    }
    this.#entries += count;
  }

  async finish(files: readonly CoveredFile[]): Promise<Sidecar> {
    if (this.#inBlock > 0) this.#closeBlock();
    await this.#flush();
    const fence = fenceOf(this.#blocks);
    fence.set(this.#fence.subarray(0, this.#blocks));
    const fenceBytes = Buffer.from(fence.buffer);
    const trailer: Trailer = {
      ...this.#kind,
      entries: this.#entries,
      fenceCheck: crc32(fenceBytes),
      files: [...files],
    };
    const json = Buffer.from(JSON.stringify(trailer));
    const end = Buffer.alloc(8);
    end.writeUInt32LE(json.length, 0);
    end.writeUInt32LE(crc32(json), 4);
    await written(async () => {
      await this.#handle.writeFile(fenceBytes);
      await this.#handle.writeFile(Buffer.concat([json, end, Buffer.from(MAGIC)]));
      await this.#handle.close();
      await rename(`${this.#path}.tmp`, this.#path);
    });
    return { ...trailer, path: this.#path, fence };
  }

  async abort(): Promise<void> {
    await this.#handle.close().catch(() => {});
    await rm(`${this.#path}.tmp`, { force: true }).catch(() => {});
  }

  #closeBlock(): void {
    const start = this.#full * BLOCK_WORDS;
    const end = start + 1 + this.#inBlock * entryWords(this.#kind.words);
    this.#buffer.fill(0, end, start + BLOCK_WORDS);
    this.#buffer[start] = checksumOf(this.#buffer, start);
    if (this.#blocks === this.#fence.length) {
      const larger = new Uint32Array(this.#fence.length * 2);
      larger.set(this.#fence);
      this.#fence = larger;
    }
    this.#fence[this.#blocks++] = this.#buffer[start + 1] as number;
    this.#full++;
    this.#inBlock = 0;
  }

  async #flush(): Promise<void> {
    const bytes = this.#bytes.subarray(0, this.#full * BLOCK_BYTES);
    if (bytes.length > 0) await written(() => this.#handle.writeFile(bytes));
    this.#full = 0;
  }
}

/** Memory that the thread which helps to look keys up sees, too. */
function fenceOf(blocks: number): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(blocks * 4));
}

/** Reads what a sidecar says of itself. @throws whatever is wrong with it: then it is not one. */
export async function readSidecar(path: string): Promise<Sidecar> {
  const handle = await open(path, "r");
  try {
    const { size } = await handle.stat();
    const end = Buffer.alloc(END_BYTES);
    await handle.read(end, 0, END_BYTES, Math.max(0, size - END_BYTES));
    const length = end.readUInt32LE(0);
    if (end.toString("latin1", 8) !== MAGIC || length > Math.min(size - END_BYTES, MAX_TRAILER_BYTES)) {
      throw lost(path, "it has no end");
    }
    const json = Buffer.alloc(length);
    await handle.read(json, 0, length, size - END_BYTES - length);
    if (crc32(json) !== end.readUInt32LE(4)) throw lost(path, "its list of files is damaged");
    const trailer = trailerSchema.parse(JSON.parse(json.toString()));
    const blocks = Math.ceil(trailer.entries / entriesPerBlock(trailer.words));
    if (blocks * (BLOCK_BYTES + 4) + length + END_BYTES !== size) {
      throw lost(path, "its size does not fit its number of keys");
    }
    const fence = fenceOf(blocks);
    const fenceBytes = Buffer.from(fence.buffer);
    await handle.read(fenceBytes, 0, fenceBytes.length, blocks * BLOCK_BYTES);
    if (crc32(fenceBytes) !== trailer.fenceCheck) throw lost(path, "its fence is damaged");
    return { ...trailer, path, fence };
  } finally {
    await handle.close();
  }
}

/** @throws FrazilError `corrupt` for blocks that are not what was written. */
export function checkBlock({ path, fence }: Sidecar, words: Uint32Array, block: number, inBuffer: number): void {
  if (!isBlock(words, inBuffer * BLOCK_WORDS, fence[block])) throw lost(path, `block ${block} is damaged`);
}

export function lost(path: string, what: string): FrazilError {
  return new FrazilError("corrupt", "KEY_SIDECAR", `${path}: ${what}`);
}

/** Errors of a system that has no room for another open file. */
const SCARCE = new Set(["EMFILE", "ENFILE", "ENOMEM"]);

/** @throws FrazilError `unavailable` for an error that says nothing of the sidecar that was to be read: it is not lost. */
export function refuseScarcity(error: unknown): void {
  if (!(error instanceof Error && "code" in error && SCARCE.has(String(error.code)))) return;
  throw new FrazilError("unavailable", "KEY_CACHE", `the cache of keys cannot be read now: ${error.message}`, {
    hint: "let the process open more files: ulimit -n",
    cause: error,
  });
}

const FULL = new Set(["ENOSPC", "EDQUOT"]);

/** Whether there was no room for a file of the cache. */
export function isFull(error: unknown): error is FrazilError {
  return error instanceof FrazilError && error.code === "KEY_CACHE_FULL";
}

/** What no waiting changes: a file in the folder's way, or rights that this process does not have. */
const HOPELESS = new Set(["ENOTDIR", "EACCES", "EPERM", "EROFS"]);

/**
 * An error of the cache's folder, unless it is one of ours.
 * @param what could not be done: `opened`, `written`
 * @returns kind `config` where somebody has to do something first, `unavailable` otherwise: it is waited for like a store
 */
export function cacheError(error: unknown, what: string): FrazilError {
  if (error instanceof FrazilError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const hopeless = error instanceof Error && "code" in error && HOPELESS.has(String(error.code));
  return new FrazilError(
    hopeless ? "config" : "unavailable",
    hopeless ? "KEY_CACHE_FOLDER" : "KEY_CACHE",
    `the cache of keys cannot be ${what}: ${message}`,
    { hint: "make its folder writable, or name another with cache:", cause: error },
  );
}

/**
 * Runs something that writes to the cache.
 * @throws FrazilError `io` when its disk is full, else as `cacheError`.
 */
export async function written<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof Error && "code" in error && FULL.has(String(error.code))))
      throw cacheError(error, "written");
    throw new FrazilError("io", "KEY_CACHE_FULL", `the cache of keys cannot be written: ${error.message}`, {
      hint: "make room on its disk, name a folder on another one with cache:, or give the job more memory:",
      cause: error,
    });
  }
}
