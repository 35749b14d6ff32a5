/** Where keys' rows are: file numbers of a `FileTable` (-1 = nowhere) and row positions in those files. */
export interface Locations {
  readonly files: Int32Array;
  readonly positions: Uint32Array;
}

/**
 * Finds the row that holds a key. Keys are 128-bit words (`keyWords`). What it answers may lie in a file that is no longer live or under a
 * deletion vector: the caller checks against the file table, which is the truth.
 */
export interface KeyResolver {
  /** One location a key. */
  resolve(keys: Uint32Array): Promise<Locations>;
  /** The rows `positions` of file `file` now hold these keys. */
  place(keys: Uint32Array, file: number, positions: Uint32Array): void;
  /** No row holds these keys any more. */
  forget(keys: Uint32Array): void;
  /** Drops everything (TRUNCATE). */
  clear(): void;
  readonly sizeBytes: number;
}
