import { readSync } from "node:fs";
import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { FrazilError, must } from "../../core/errors.ts";
import { KEY_WORDS } from "../keys/key-words.ts";
import { addToChecksum, entryWords } from "./blocks.ts";
import { type CoveredFile, lost, type Sidecar, type SidecarKind, SidecarWriter, written } from "./sidecar.ts";
import { sortEntries } from "./sort-entries.ts";
import { storeKey } from "./stored-keys.ts";

/** Entries sorted at once, at which sorting stays in a CPU's cache: of 2^20 it takes 47 ns an entry, of 2^18 20 ns. */
const BUCKET_ENTRIES = 1 << 18;

/** More would make the chunks of all of them a burden on memory. */
const MAX_BUCKET_BITS = 10;

/** Entries of a bucket that are put aside together: the chunks being filled of all buckets take 5 MiB at most. */
const CHUNK_ENTRIES = 256;

/** Chunks put aside in memory before they go to disk; those of a bucket then lie together. */
const HELD_BYTES = 16 << 20;

/** Rows added between two looks at that. */
const ROWS_AT_ONCE = 1 << 15;

/**
 * Makes a sidecar of keys in any order. Keys are distributed over buckets by the high bits of their stored first words; full chunks of buckets
 * go to a temporary file; in the end bucket by bucket is read back, sorted and written. So memory stays below 50 MiB for any number of keys.
 *
 * All of it is done by the thread that calls, which gives way to others at each read and write, some milliseconds apart at most.
 */
export class SidecarBuilder {
  readonly #path: string;
  readonly #kind: SidecarKind;
  readonly #expected: number;
  readonly #stride: 3 | 5;
  readonly #chunkWords: number;
  readonly #bucketBits: number;
  /** The chunk being filled of each bucket, and the entries in it. */
  readonly #chunks: Uint32Array;
  readonly #used: Uint32Array;
  readonly #counts: Uint32Array;
  readonly #entry = new Uint32Array(5);
  /** Full chunks that wait for the disk, and the bucket of each. */
  #held: Uint32Array;
  #heldBuckets: number[] = [];
  /** Where on disk a bucket's chunks are: offset and length by turns, in bytes. */
  readonly #stored: number[][];
  /** Checksum of each bucket's chunks on disk: who writes without a sync learns nothing of what the disk has lost. */
  readonly #checks: Uint32Array;
  #temporary: FileHandle | null = null;
  #storedBytes = 0;

  /** @param expected keys, roughly. */
  constructor(path: string, kind: SidecarKind, expected: number) {
    this.#path = path;
    this.#kind = kind;
    this.#expected = expected;
    this.#stride = entryWords(kind.words);
    this.#chunkWords = CHUNK_ENTRIES * this.#stride;
    this.#bucketBits = Math.min(MAX_BUCKET_BITS, Math.max(0, Math.ceil(Math.log2(expected / BUCKET_ENTRIES))));
    const buckets = 1 << this.#bucketBits;
    this.#chunks = new Uint32Array(buckets * this.#chunkWords);
    this.#used = new Uint32Array(buckets);
    this.#counts = new Uint32Array(buckets);
    this.#held = new Uint32Array(Math.min(HELD_BYTES / 4, (expected + CHUNK_ENTRIES) * this.#stride));
    this.#stored = Array.from({ length: buckets }, () => []);
    this.#checks = new Uint32Array(buckets);
  }

  /** Adds keys of `KEY_WORDS` words each in rows that follow each other. */
  async addRows(keys: Uint32Array, firstRow: number): Promise<void> {
    const count = keys.length / KEY_WORDS;
    for (let start = 0; start < count; start += ROWS_AT_ONCE) {
      const end = Math.min(count, start + ROWS_AT_ONCE);
      for (let i = start; i < end; i++) this.add(keys, i * KEY_WORDS, firstRow + i);
      // Room for as many again.
      const heldWords = (this.#heldBuckets.length * CHUNK_ENTRIES + ROWS_AT_ONCE) * this.#stride;
      if (heldWords * 4 >= HELD_BYTES) await this.#store();
    }
  }

  /** Adds one key. What is added in this way stays in memory until `finish`. */
  add(keys: Uint32Array, at: number, row: number): void {
    const { words, seed } = this.#kind;
    const entry = this.#entry;
    const stride = this.#stride;
    storeKey(keys, at, words, seed, entry, 0);
    entry[words] = row;
    // In two steps, as a shift by 32 does nothing.
    const bucket = ((entry[0] as number) >>> 1) >>> (31 - this.#bucketBits);
    const used = this.#used[bucket] as number;
    const to = bucket * this.#chunkWords + used * stride;
    const chunks = this.#chunks;
    chunks[to] = entry[0] as number;
    chunks[to + 1] = entry[1] as number;
    chunks[to + 2] = entry[2] as number;
    if (stride === 5) {
      chunks[to + 3] = entry[3] as number;
      chunks[to + 4] = entry[4] as number;
    }
    (this.#counts[bucket] as number)++;
    if (used + 1 < CHUNK_ENTRIES) this.#used[bucket] = used + 1;
    else this.#hold(bucket);
  }

  /** @param files whose rows, numbered through, were added. */
  async finish(files: readonly CoveredFile[]): Promise<Sidecar> {
    const writer = await SidecarWriter.open(this.#path, this.#kind, this.#expected);
    try {
      const largest = this.#counts.reduce((most, count) => Math.max(most, count), 0) * this.#stride;
      const entries = new Uint32Array(largest);
      const scratch = new Uint32Array(largest);
      const heldOf = this.#heldByBucket();
      for (let bucket = 0; bucket < this.#counts.length; bucket++) {
        const count = this.#counts[bucket] as number;
        if (count === 0) continue;
        this.#gather(bucket, heldOf.get(bucket) ?? [], entries);
        const sorted = sortEntries(entries, count, this.#stride, 32 - this.#bucketBits, scratch);
        await writer.add(sorted, count);
      }
      return await writer.finish(files);
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }

  /** Frees its temporary file; to be called in any case. */
  async close(): Promise<void> {
    await this.#temporary?.close().catch(() => {});
    this.#temporary = null;
  }

  #hold(bucket: number): void {
    const at = this.#heldBuckets.length * this.#chunkWords;
    if (at + this.#chunkWords > this.#held.length) {
      const larger = new Uint32Array(Math.max(this.#held.length * 2, at + this.#chunkWords));
      larger.set(this.#held);
      this.#held = larger;
    }
    const start = bucket * this.#chunkWords;
    this.#held.set(this.#chunks.subarray(start, start + this.#chunkWords), at);
    this.#heldBuckets.push(bucket);
    this.#used[bucket] = 0;
  }

  /** The held chunks of each bucket. */
  #heldByBucket(): Map<number, number[]> {
    return Map.groupBy(this.#heldBuckets.keys(), (chunk) => this.#heldBuckets[chunk] as number);
  }

  /** Puts the held chunks on disk, bucket by bucket. */
  async #store(): Promise<void> {
    const words = this.#chunkWords;
    const out = new Uint32Array(this.#heldBuckets.length * words);
    let at = 0;
    for (const [bucket, chunks] of this.#heldByBucket()) {
      const start = at;
      (this.#stored[bucket] as number[]).push(this.#storedBytes + start * 4, chunks.length * words * 4);
      for (const chunk of chunks) {
        out.set(this.#held.subarray(chunk * words, (chunk + 1) * words), at);
        at += words;
      }
      this.#checks[bucket] = addToChecksum(this.#checks[bucket] as number, out, start, at);
    }
    this.#heldBuckets = [];
    this.#storedBytes += out.byteLength;
    this.#temporary ??= await openTemporary(this.#path);
    const handle = this.#temporary;
    await written(() => handle.writeFile(out));
  }

  /** Collects a bucket's entries. */
  #gather(bucket: number, held: readonly number[], into: Uint32Array): void {
    const words = this.#chunkWords;
    const bytes = new Uint8Array(into.buffer);
    const stored = this.#stored[bucket] as number[];
    let at = 0;
    let check = 0;
    for (let i = 0; i < stored.length; i += 2) {
      const length = stored[i + 1] as number;
      const { fd } = must(this.#temporary, "what was stored is in a file");
      if (readSync(fd, bytes, at, length, stored[i] as number) !== length) throw lost(this.#path, "it ends early");
      check = addToChecksum(check, into, at / 4, (at + length) / 4);
      at += length;
    }
    if (check !== this.#checks[bucket]) throw damagedAside(this.#path);
    let to = at / 4;
    for (const chunk of held) {
      into.set(this.#held.subarray(chunk * words, (chunk + 1) * words), to);
      to += words;
    }
    const start = bucket * words;
    into.set(this.#chunks.subarray(start, start + (this.#used[bucket] as number) * this.#stride), to);
  }
}

/** All of it is made again from the table; what is damaged time and again is the disk. */
function damagedAside(path: string): FrazilError {
  return new FrazilError("unavailable", "KEY_CACHE", `${path}: keys put aside on disk cannot be read back`, {
    hint: "name a folder on another disk with cache:",
  });
}

function openTemporary(path: string): Promise<FileHandle> {
  return written(async () => {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const temporary = `${path}.unsorted`;
    const handle = await open(temporary, "wx+", 0o600);
    // It has no name while it is used, so that nothing is left of it whatever happens.
    await rm(temporary);
    return handle;
  });
}
