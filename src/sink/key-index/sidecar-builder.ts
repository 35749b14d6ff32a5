import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { KEY_WORDS } from "../key-words.ts";
import { type CoveredFile, type Sidecar, type SidecarKind, SidecarWriter, written } from "./sidecar.ts";
import { sortEntries } from "./sort-entries.ts";
import { entryWords, storeKey } from "./stored-keys.ts";

/** Entries sorted at once: 20 MiB of fingerprints, and as much again to sort them. */
const BUCKET_ENTRIES = 1 << 20;

/** More would make the chunks of all of them a burden on memory. */
const MAX_BUCKET_BITS = 10;

/** Entries of a bucket that are put aside together: 16 KiB of exact keys. */
const CHUNK_ENTRIES = 1_365;

/** Chunks put aside in memory before they go to disk. */
const HELD_BYTES = 16 << 20;

/**
 * Makes a sidecar of keys in any order. Keys are distributed over buckets by the high bits of their stored first words; full chunks of buckets
 * go to a temporary file; in the end bucket by bucket is read back, sorted and written. So memory stays below 80 MiB for any number of keys.
 */
export class SidecarBuilder {
  readonly #path: string;
  readonly #kind: SidecarKind;
  readonly #expected: number;
  readonly #stride: 3 | 5;
  readonly #bucketBits: number;
  /** The chunk being filled of each bucket, and the entries in it. */
  readonly #chunks: Uint32Array;
  readonly #used: Uint32Array;
  readonly #counts: Uint32Array;
  readonly #entry = new Uint32Array(5);
  /** Full chunks by bucket, those on disk and those that wait for it. */
  readonly #stored: number[][];
  #held: { readonly bucket: number; readonly entries: Uint32Array }[] = [];
  #heldBytes = 0;
  #temporary: FileHandle | null = null;
  #storedBytes = 0;

  /** @param expected keys, roughly. */
  constructor(path: string, kind: SidecarKind, expected: number) {
    this.#path = path;
    this.#kind = kind;
    this.#expected = expected;
    this.#stride = entryWords(kind.words);
    this.#bucketBits = Math.min(MAX_BUCKET_BITS, Math.max(0, Math.ceil(Math.log2(expected / BUCKET_ENTRIES))));
    const buckets = 1 << this.#bucketBits;
    this.#chunks = new Uint32Array(buckets * CHUNK_ENTRIES * this.#stride);
    this.#used = new Uint32Array(buckets);
    this.#counts = new Uint32Array(buckets);
    this.#stored = Array.from({ length: buckets }, () => []);
  }

  /** Adds keys of `KEY_WORDS` words each in rows that follow each other. `settle` is due now and then. */
  addRows(keys: Uint32Array, firstRow: number): void {
    const count = keys.length / KEY_WORDS;
    for (let i = 0; i < count; i++) this.add(keys, i * KEY_WORDS, firstRow + i);
  }

  add(keys: Uint32Array, at: number, row: number): void {
    const { words, seed } = this.#kind;
    const entry = this.#entry;
    const stride = this.#stride;
    storeKey(keys, at, words, seed, entry, 0);
    entry[words] = row;
    // In two steps, as a shift by 32 does nothing.
    const bucket = ((entry[0] as number) >>> 1) >>> (31 - this.#bucketBits);
    let used = this.#used[bucket] as number;
    const start = bucket * CHUNK_ENTRIES * stride;
    if (used === CHUNK_ENTRIES) {
      this.#hold(bucket, this.#chunks.slice(start, start + CHUNK_ENTRIES * stride));
      used = 0;
    }
    const to = start + used * stride;
    const chunks = this.#chunks;
    chunks[to] = entry[0] as number;
    chunks[to + 1] = entry[1] as number;
    chunks[to + 2] = entry[2] as number;
    if (stride === 5) {
      chunks[to + 3] = entry[3] as number;
      chunks[to + 4] = entry[4] as number;
    }
    this.#used[bucket] = used + 1;
    (this.#counts[bucket] as number)++;
  }

  /** Puts chunks on disk when they are many. */
  async settle(): Promise<void> {
    if (this.#heldBytes < HELD_BYTES) return;
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    this.#temporary ??= await openTemporary(this.#path);
    const handle = this.#temporary;
    await written(() => handle.writev(held.map(({ entries }) => entries)));
    for (const { bucket, entries } of held) {
      (this.#stored[bucket] as number[]).push(this.#storedBytes);
      this.#storedBytes += entries.byteLength;
    }
  }

  /** @param files whose rows, numbered through, were added. */
  async finish(files: readonly CoveredFile[]): Promise<Sidecar> {
    const writer = await SidecarWriter.open(this.#path, this.#kind, this.#expected);
    try {
      const largest = this.#counts.reduce((most, count) => Math.max(most, count), 0) * this.#stride;
      const entries = new Uint32Array(largest);
      const scratch = new Uint32Array(largest);
      const heldOf = Map.groupBy(this.#held, ({ bucket }) => bucket);
      for (let bucket = 0; bucket < this.#counts.length; bucket++) {
        const count = this.#counts[bucket] as number;
        if (count === 0) continue;
        await this.#gather(bucket, heldOf.get(bucket) ?? [], entries);
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

  #hold(bucket: number, entries: Uint32Array): void {
    this.#held.push({ bucket, entries });
    this.#heldBytes += entries.byteLength;
  }

  /** Collects a bucket's entries. */
  async #gather(bucket: number, held: readonly { readonly entries: Uint32Array }[], into: Uint32Array): Promise<void> {
    const stride = this.#stride;
    const chunkBytes = CHUNK_ENTRIES * stride * 4;
    const bytes = new Uint8Array(into.buffer);
    let at = 0;
    for (const offset of this.#stored[bucket] as number[]) {
      await this.#temporary?.read(bytes, at, chunkBytes, offset);
      at += chunkBytes;
    }
    let word = at / 4;
    for (const { entries } of held) {
      into.set(entries, word);
      word += entries.length;
    }
    const start = bucket * CHUNK_ENTRIES * stride;
    into.set(this.#chunks.subarray(start, start + (this.#used[bucket] as number) * stride), word);
  }
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
