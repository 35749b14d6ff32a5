import type { FileEntry, FileTable } from "./file-table.ts";
import type { MovedRows } from "./forwards.ts";

/** Where keys' rows are: file numbers of a `FileTable` (-1 = nowhere) and row positions in those files. */
export interface Locations {
  readonly files: Int32Array;
  readonly positions: Uint32Array;
  /** Further live rows of keys, with the key's place among the keys: there should be none, as a key has one live row. */
  readonly extra: readonly { readonly key: number; readonly file: number; readonly position: number }[];
}

/** The keys of all rows of a data file (`keyWords`), batch by batch in the order of the file. */
export type ReadKeys = (entry: FileEntry) => AsyncIterable<Uint32Array>;

/**
 * Finds the live row that holds a key. Keys are 128-bit words (`keyWords`). The file table says what is live: a resolver may know of rows in
 * files that are gone or under deletes, and never answers with them.
 */
export interface KeyResolver {
  /** One live location a key; the keys are distinct. Of several live rows of a key the newest, the others as `extra`. */
  resolve(keys: Uint32Array): Promise<Locations>;
  /**
   * Learns the keys of every live file of the table that it does not know yet. May be repeated after a failure.
   * @param stop ends it, with the signal's reason as error.
   */
  cover(stop?: AbortSignal): Promise<void>;
  /** Takes care that as many keys can be placed within the memory budget. */
  reserve(keys: number): Promise<void>;
  /** The rows of file `file` hold these keys at `positions`, and no other live row does: all rows of the file, in one or several calls. */
  place(keys: Uint32Array, file: number, positions: Uint32Array): void;
  /** No live row holds these keys any more. */
  forget(keys: Uint32Array): void;
  /**
   * Follows rows through a compaction of this process, whose output `cover` then need not read. To be told when the commit is known to have happened, before
   * the table's new head is followed.
   */
  forward(moved: MovedRows): void;
  /** Drops everything (TRUNCATE). */
  clear(): void;
  readonly sizeBytes: number;
}

/** What a resolver needs of its table. */
export interface ResolvedTable {
  /** For the log. */
  readonly name: string;
  readonly files: FileTable;
  readonly read: ReadKeys;
}
