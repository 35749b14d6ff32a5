import type { FileEntry, FileIO, OutputStream } from "../../../table-format/index.ts";
import { contentTag } from "../../../src/storage/content-tag.ts";
import { FrazilError } from "../../../src/core/errors.ts";

class StoredObject {
  readonly bytes: Uint8Array;
  readonly lastModifiedMs: number;
  #etag: string | null = null;

  constructor(bytes: Uint8Array, lastModifiedMs: number) {
    this.bytes = bytes;
    this.lastModifiedMs = lastModifiedMs;
  }

  /** Of most objects nobody asks for it. */
  get etag(): string {
    return (this.#etag ??= contentTag(this.bytes));
  }
}

/** Told of each object that came or went. */
type Watch = (change: "put" | "delete", location: string) => void;

/** Keys of one answer to a listing. */
const PAGE = 100;

/**
 * What S3 promises of a bucket: puts, deletes and conditional puts are atomic and seen by every later request, listings included. A
 * listing of several pages is no snapshot: each page is of its own time, in the order of the keys. Nothing fails here and nothing takes time.
 */
export class ObjectStore {
  readonly #objects = new Map<string, StoredObject>();
  readonly #nowMs: () => number;
  /** All keys in their order. */
  readonly #keys: string[] = [];
  watch: Watch = () => undefined;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get(location: string): { readonly bytes: Uint8Array; readonly etag: string } | null {
    return this.#objects.get(location) ?? null;
  }

  put(location: string, bytes: Uint8Array): StoredObject {
    if (!this.#objects.has(location)) this.#keys.splice(firstFrom(this.#keys, location), 0, location);
    // S3 keeps whole seconds.
    const lastModifiedMs = Math.floor(this.#nowMs() / 1_000) * 1_000;
    const object = new StoredObject(bytes, lastModifiedMs);
    this.#objects.set(location, object);
    this.watch("put", location);
    return object;
  }

  /** `If-None-Match: *` */
  create(location: string, bytes: Uint8Array): Awaited<ReturnType<FileIO["create"]>> {
    if (this.#objects.has(location)) return { outcome: "exists" };
    return done("created", this.put(location, bytes));
  }

  /** `If-Match` */
  replace(location: string, bytes: Uint8Array, etag: string): Awaited<ReturnType<FileIO["replace"]>> {
    if (this.#objects.get(location)?.etag !== etag) return { outcome: "conflict" };
    return done("replaced", this.put(location, bytes));
  }

  delete(location: string): void {
    if (!this.#objects.delete(location)) return;
    this.#keys.splice(firstFrom(this.#keys, location), 1);
    this.watch("delete", location);
  }

  /** All keys that begin so. */
  locations(prefix: string): readonly string[] {
    return this.#keys.filter((key) => key.startsWith(prefix));
  }

  /** One page of a listing, behind a key. */
  page(prefix: string, after: string): { readonly entries: readonly FileEntry[]; readonly isLast: boolean } {
    const keys = this.#keys;
    const entries: FileEntry[] = [];
    for (let at = firstFrom(keys, after > prefix ? after : prefix); at < keys.length; at++) {
      const location = keys[at] as string;
      if (location === after) continue;
      if (!location.startsWith(prefix)) break;
      if (entries.length === PAGE) return { entries, isLast: false };
      const { bytes, lastModifiedMs } = this.#objects.get(location) as StoredObject;
      entries.push({ location, sizeBytes: bytes.length, lastModifiedMs });
    }
    return { entries, isLast: true };
  }

  /** The store as somebody sees it who never waits and never fails: the audit, and a catalog's server. */
  direct(): FileIO {
    const existing = (location: string): Uint8Array => bytesOf(this, location);
    const put = (location: string, bytes: Uint8Array) => this.put(location, new Uint8Array(bytes));
    const page = this.page.bind(this);
    return {
      read: async (location) => existing(location),
      readRange: async (location, offset, length) => rangeOf(existing(location), location, offset, length),
      stat: async (location) => statOf(this.get(location)),
      readTagged: async (location) => this.get(location),
      write: async (location, bytes) => void put(location, bytes),
      openWrite: async (location) => streamTo(async (bytes) => void put(location, bytes)),
      create: async (location, bytes) => this.create(location, new Uint8Array(bytes)),
      replace: async (location, bytes, etag) => this.replace(location, new Uint8Array(bytes), etag),
      async *list(prefix) {
        for (let after = "", isLast = false; !isLast;) {
          const found = page(`${prefix}/`, after);
          yield* found.entries;
          after = found.entries.at(-1)?.location ?? after;
          isLast = found.isLast;
        }
      },
      delete: async (location) => this.delete(location),
    };
  }
}

export function bytesOf(store: ObjectStore, location: string): Uint8Array {
  const object = store.get(location);
  if (object === null) throw new FrazilError("not-found", "OBJECT_NOT_FOUND", `${location} does not exist`);
  return object.bytes;
}

export function rangeOf(bytes: Uint8Array, location: string, offset: number, length: number): Uint8Array {
  if (offset + length <= bytes.length) return bytes.slice(offset, offset + length);
  const message = `${location}: expected ${length} bytes at ${offset}, found an object of ${bytes.length} bytes`;
  throw new FrazilError("corrupt", "OBJECT_TOO_SHORT", message);
}

export function statOf(
  object: { readonly bytes: Uint8Array; readonly etag: string } | null,
): { sizeBytes: number; etag: string } | null {
  return object === null ? null : { sizeBytes: object.bytes.length, etag: object.etag };
}

/** A streaming put, sent whole when it is closed. */
export function streamTo(put: (bytes: Uint8Array) => Promise<void>): OutputStream {
  const chunks: Uint8Array[] = [];
  return {
    write: async (chunk) => void chunks.push(new Uint8Array(chunk)),
    async close() {
      const bytes = new Uint8Array(Buffer.concat(chunks));
      await put(bytes);
      return { sizeBytes: bytes.length };
    },
    abort: async () => void chunks.splice(0),
  };
}

/** The answer to a conditional put. Of most nobody asks for the entity tag. */
function done<T extends string>(outcome: T, object: StoredObject): { readonly outcome: T; readonly etag: string } {
  return {
    outcome,
    get etag() {
      return object.etag;
    },
  };
}

/** Where the first key that does not come before `wanted` stands, or would. */
function firstFrom(keys: readonly string[], wanted: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as string) >= wanted) high = middle;
    else low = middle + 1;
  }
  return low;
}
