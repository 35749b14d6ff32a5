import type { Column } from "../arrow/column.ts";

/** A leaf's entries: one for each value, each null and each empty list on its path (Parquet format, "Nested Encoding"). */
export interface LeafEntries {
  /** One row an entry; null where the entry has no value. */
  readonly column: Column;
  /** How much of the path is there; null: the column's nulls say it. */
  readonly definitions: Int32Array | null;
  /** At which list of the path an entry goes on; null: at none. */
  readonly repetitions: Int32Array | null;
}
