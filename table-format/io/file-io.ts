/**
 * What the table format needs of a store. Locations are absolute strings with a scheme (`s3://bucket/key`, `file:///path`)
 * or, for a local folder, an absolute path; they are opaque and compared byte by byte (Iceberg spec, "File System Operations").
 *
 * Errors: a missing object is `FrazilError` kind `not-found`; a store that cannot be reached is `unavailable`; one that refuses
 * to write is `io`; missing rights are `permission`. An operation that writes and throws `unavailable` may or may not have taken effect.
 */
export interface FileIO {
  /** The whole object. */
  read(location: string): Promise<Uint8Array>;
  /** Exactly `length` bytes from `offset`; fewer in the object is an error of kind `corrupt`. */
  readRange(location: string, offset: number, length: number): Promise<Uint8Array>;
  /** Size in bytes and entity tag (of the bytes, for conditional writes), or null when the object is absent. */
  stat(location: string): Promise<FileStat | null>;
  /** The whole object together with the tag that belongs to exactly these bytes, or null when absent. */
  readTagged(location: string): Promise<{ bytes: Uint8Array; etag: string } | null>;
  /** Puts an object under a name that nobody else uses; durable when it resolves. Repeating it with equal bytes is safe. */
  write(location: string, bytes: Uint8Array): Promise<void>;
  /** A streaming put. Nothing is visible under `location` before `close` resolves. */
  openWrite(location: string): Promise<OutputStream>;
  /** Puts the object only if it is absent: `exists` when it was there. One attempt, never retried inside. */
  create(location: string, bytes: Uint8Array): Promise<{ outcome: "created"; etag: string } | { outcome: "exists" }>;
  /** Replaces the object only if its tag still is `etag`: `conflict` when not, or when it is gone. One attempt, never retried inside. */
  replace(
    location: string,
    bytes: Uint8Array,
    etag: string,
  ): Promise<{ outcome: "replaced"; etag: string } | { outcome: "conflict" }>;
  /** Every object below the prefix (a folder, given without a trailing slash), in no particular order. */
  list(prefix: string): AsyncIterable<FileEntry>;
  /** Removes an object; an absent one is no error. */
  delete(location: string): Promise<void>;
}

export interface FileStat {
  readonly sizeBytes: number;
  readonly etag: string;
}

export interface FileEntry {
  readonly location: string;
  readonly sizeBytes: number;
  /** When the object was written, by the store's clock: milliseconds since 1970 UTC. S3 knows it to the second, rounded down. */
  readonly lastModifiedMs: number;
}

/** Bytes in order, then exactly one of `close` and `abort`. `write` may keep the chunk until the next call returns. */
export interface OutputStream {
  write(chunk: Uint8Array): Promise<void>;
  /** Makes the object durable and visible; gives its size. */
  close(): Promise<{ sizeBytes: number }>;
  /** Drops what was written; safe to call twice. */
  abort(): Promise<void>;
}
