/** What one committed checkpoint did to a table. */
export interface TableCounts {
  readonly rows: number;
  readonly inserts: number;
  readonly updates: number;
  readonly deletes: number;
  /** Changes that the table does not take: late by `order_by`, deletes that it ignores or that find no row to mark, copies. */
  readonly dropped: number;
  /** Data and delete files that were added, and their size. */
  readonly files: number;
  readonly bytes: number;
}

/**
 * Where the engine counts what it does, from the start of a process. Meaning and unit of each figure: `docs/figures.md`. Counting never
 * fails and decides nothing.
 */
export interface Figures {
  /** A pull of the source arrived. @param bytes of its messages; null where the source does not tell. */
  taken(rows: number, records: number, bytes: number | null): void;
  /** Dead letters since the start by error code. */
  deadLetters(byCode: ReadonlyMap<string, number>): void;
  /** All rows taken so far stand in files that belong to no table yet. */
  prepared(): void;
  /** A table's part of a checkpoint is in the table. */
  committed(table: string, counts: TableCounts): void;
  /** All rows taken so far are in the tables. @param validThroughMs what the checkpoint was stamped with. */
  settled(validThroughMs: number | null): void;
  /** The catalog took a commit. */
  commit(): void;
  /** Another writer was first: the commit is built anew. */
  conflict(): void;
  /** A run of maintenance in this process has ended. */
  maintained(failed: boolean): void;
  /** A commit, a store or a catalog that gave no answer is tried again. */
  retry(): void;
  /** Messages between the point that was read to and the source's end; null where points do not count. */
  readLag(messages: bigint | null): void;
  /** The figures as they are now. */
  read(): FiguresReading;
}

/** The figures of a process at one moment: plain data, for whoever prints or serves them. */
export interface FiguresReading {
  /** Changes and messages taken from the source. */
  readonly rows: number;
  readonly records: number;
  /** Bytes of messages; null where the source does not tell. */
  readonly readBytes: number | null;
  /** By table (`namespace.table`), in the order of their first commit. */
  readonly tables: ReadonlyMap<string, TableCounts>;
  /** The sum over all tables. */
  readonly written: TableCounts;
  readonly commits: number;
  readonly conflicts: number;
  readonly retries: number;
  /** Runs of maintenance in this process, and those of them that failed. */
  readonly maintenanceRuns: number;
  readonly maintenanceFailures: number;
  readonly deadLetters: number;
  readonly deadLettersByCode: ReadonlyMap<string, number>;
  /** Messages not yet read, as of the last time the source told its end; null where that cannot be told. */
  readonly readLag: bigint | null;
  /** Rows taken that are not in files. */
  readonly writeLagRows: number;
  /** Rows taken that are not committed. */
  readonly commitLagRows: number;
  /** Source time up to which the tables are complete, milliseconds since 1970 UTC; null where the source tells no time. */
  readonly validThroughMs: number | null;
  /** Seconds between that and now. */
  readonly freshnessSeconds: number | null;
}
