import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { z } from "zod";
import { FrazilError } from "../../core/errors.ts";

/** Bytes of a block of keys: the unit of reading and of checking. */
export const BLOCK_BYTES = 1 << 20;

const MAGIC = "frazil-keys-1\n";
/** Length and checksum of the trailer, then the magic. */
const END_BYTES = 8 + MAGIC.length;
const MAX_TRAILER_BYTES = 64 << 20;

const trailerSchema = z.strictObject({
  seed: z.int().nonnegative(),
  signature: z.string(),
  /** 32-bit words of a key: exact keys leave out two that are always zero. */
  words: z.union([z.literal(2), z.literal(4)]),
  /** Checksum of each block. */
  checks: z.array(z.int().nonnegative()),
  files: z.array(z.strictObject({ path: z.string(), sizeBytes: z.int().nonnegative(), rows: z.int().nonnegative() })),
});

/**
 * What a sidecar says of itself. A sidecar is a local file with the keys of all rows of some data files, deleted or not, in the order of
 * the rows, so that the place of a key in it is the place of the row. Blocks of keys (little-endian words) are followed by this as JSON.
 * It never changes; it is written under a temporary name and renamed.
 */
type Trailer = z.output<typeof trailerSchema>;

/** A data file whose keys are in a sidecar. */
export type CoveredFile = Trailer["files"][number];

export interface Sidecar extends Trailer {
  readonly path: string;
  readonly rows: number;
}

/** The identity of keys: those of sidecars with another seed or signature cannot be compared. */
export type SidecarKind = Pick<Trailer, "seed" | "signature" | "words">;

/** Writes a sidecar under `path`; nothing is there before `finish`. */
export class SidecarWriter {
  readonly #path: string;
  readonly #kind: SidecarKind;
  readonly #handle;
  readonly #block = new Uint32Array(BLOCK_BYTES / 4);
  readonly #checks: number[] = [];
  readonly #files: CoveredFile[] = [];
  #used = 0;
  #fileRows = 0;
  #rows = 0;

  private constructor(path: string, kind: SidecarKind, handle: Awaited<ReturnType<typeof open>>) {
    this.#path = path;
    this.#kind = kind;
    this.#handle = handle;
  }

  static async open(path: string, kind: SidecarKind): Promise<SidecarWriter> {
    const handle = await written(async () => {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      return open(`${path}.tmp`, "wx", 0o600);
    });
    return new SidecarWriter(path, kind, handle);
  }

  /** Appends keys of four words each of the file that `endFile` names next. */
  async add(keys: Uint32Array): Promise<void> {
    const { words } = this.#kind;
    for (let at = 0; at < keys.length; at += 4) {
      for (let word = 0; word < words; word++) this.#block[this.#used++] = keys[at + word] as number;
      if (this.#used === this.#block.length) await this.#flush();
    }
    this.#fileRows += keys.length / 4;
  }

  endFile(path: string, sizeBytes: number): void {
    this.#files.push({ path, sizeBytes, rows: this.#fileRows });
    this.#rows += this.#fileRows;
    this.#fileRows = 0;
  }

  async finish(): Promise<Sidecar> {
    if (this.#used > 0) await this.#flush();
    const trailer: Trailer = { ...this.#kind, checks: this.#checks, files: this.#files };
    const json = Buffer.from(JSON.stringify(trailer));
    const end = Buffer.alloc(8);
    end.writeUInt32LE(json.length, 0);
    end.writeUInt32LE(crc32(json), 4);
    await written(async () => {
      await this.#handle.writeFile(Buffer.concat([json, end, Buffer.from(MAGIC)]));
      await this.#handle.close();
      await rename(`${this.#path}.tmp`, this.#path);
    });
    return { ...trailer, path: this.#path, rows: this.#rows };
  }

  async abort(): Promise<void> {
    await this.#handle.close().catch(() => {});
    await rm(`${this.#path}.tmp`, { force: true });
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.from(this.#block.buffer, 0, this.#used * 4);
    this.#checks.push(crc32(bytes));
    await written(() => this.#handle.writeFile(bytes));
    this.#used = 0;
  }
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
    const rows = trailer.files.reduce((sum, file) => sum + file.rows, 0);
    const bytes = rows * trailer.words * 4;
    if (bytes + length + END_BYTES !== size || trailer.checks.length !== Math.ceil(bytes / BLOCK_BYTES)) {
      throw lost(path, "its size does not fit its list of files");
    }
    return { ...trailer, path, rows };
  } finally {
    await handle.close();
  }
}

/**
 * The keys of a sidecar, block by block; a block's memory is used again by the block after next.
 * @throws whatever is wrong with the file: a block is checked before it is given out.
 */
export async function* sidecarBlocks({ path, rows, words, checks }: Sidecar): AsyncGenerator<Uint32Array> {
  const handle = await open(path, "r");
  const buffers = [new Uint8Array(BLOCK_BYTES), new Uint8Array(BLOCK_BYTES)] as const;
  const total = rows * words * 4;
  const read = (block: number): Promise<{ bytesRead: number }> => {
    const offset = block * BLOCK_BYTES;
    const ahead = handle.read(buffers[block % 2 === 0 ? 0 : 1], 0, Math.min(BLOCK_BYTES, total - offset), offset);
    // It surfaces when it is awaited, unless the search has ended before.
    ahead.catch(() => {});
    return ahead;
  };
  let ahead = checks.length > 0 ? read(0) : null;
  try {
    for (let block = 0; ahead !== null; block++) {
      const { bytesRead } = await ahead;
      ahead = block + 1 < checks.length ? read(block + 1) : null;
      const bytes = buffers[block % 2 === 0 ? 0 : 1].subarray(0, bytesRead);
      const expected = Math.min(BLOCK_BYTES, total - block * BLOCK_BYTES);
      if (bytesRead !== expected || crc32(bytes) !== checks[block]) throw lost(path, `block ${block} is damaged`);
      yield new Uint32Array(bytes.buffer, 0, bytesRead / 4);
    }
  } finally {
    await ahead?.catch(() => {});
    await handle.close();
  }
}

function lost(path: string, what: string): FrazilError {
  return new FrazilError("corrupt", "KEY_SIDECAR", `${path}: ${what}`);
}

/** A cache that cannot be written is waited for like a store. */
async function written<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new FrazilError("unavailable", "KEY_CACHE", `the cache of keys cannot be written: ${message}`, {
      hint: "make room on its disk, or name another folder with cache:",
      cause: error,
    });
  }
}
