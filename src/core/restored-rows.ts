import type { DataFile } from "../../table-format/index.ts";

/** A row by where it stands. */
export interface RowPlace {
  readonly file: DataFile;
  /** Counted from 0 over the file. */
  readonly position: number;
}

/** A row that is to be as it was. */
export interface RestoredRow {
  /** As it was. */
  readonly before: RowPlace;
  /** As it is now; null: it was deleted since. */
  readonly now: RowPlace | null;
}

/** What brings rows back to how they were. */
export interface RestoredRows {
  /** In the order of their files and positions. */
  readonly rows: readonly RestoredRow[];
  /** Rows that were not there then, and are to go. */
  readonly removed: readonly RowPlace[];
  /** Chosen rows that were not there then, and stay. */
  readonly newer: number;
}
