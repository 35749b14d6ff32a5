import type { Column, PrimitiveType } from "../../table-format/index.ts";
import { countedText } from "./counted-point.ts";
import type { MessageSlab } from "./message-slab.ts";

/** What a change does to its row. A key change is two rows: `delete` of the old key, then `insert` of the new one. */
export const Op = {
  /** A new row (Debezium `c`; also `r`, a row of the initial load). In upsert tables it replaces a row with the same key. */
  insert: 0,
  /** The row's new state. In upsert tables equal to `insert`; refused by append tables. */
  update: 1,
  /** Only the key columns need values. */
  delete: 2,
  /** Every row of the table goes; no column has a value. */
  truncate: 3,
  /** The row as it was before the `update` that follows it. Only for tables with `mode: history`. */
  updateBefore: 4,
  /** A delete that leaves its row in the table, marked; what it does not send stays as it is. Made by the sink, never by decoders. */
  softDelete: 5,
} as const;

/** In `ChangeBatch.timesUs`: unknown. */
export const NO_TIME = -(2n ** 63n);

export interface ChangeColumn {
  readonly name: string;
  readonly type: PrimitiveType;
  /** Declared as not null by the source. Tables keep all but key columns optional, so that the source may relax it. */
  readonly required: boolean;
  /** The table has it, and no row of the batch has sent it: a table that has lost it since does not get it back. */
  readonly unsent?: boolean;
}

/**
 * Row changes of one table from one split, in the split's order, in Arrow layout (`Column`).
 */
export interface ChangeBatch {
  /** What `tables[].from` was matched by: see `TableBinding`. */
  readonly table: number;
  readonly split: string;
  readonly length: number;
  /** One `Op` a row. */
  readonly ops: Uint8Array;
  readonly fields: readonly ChangeColumn[];
  /** Beside `fields`. A row without a value for a column (see `absent`) is null here. */
  readonly columns: readonly Column[];
  /** Beside `fields`: bit set (least significant first) = the column was not sent for this row, which is not null; null = sent in all rows. */
  readonly absent: readonly (Uint8Array | null)[];
  /** Names of the columns that identify a row as the message itself declares them; null when it declares none. */
  readonly key: readonly string[] | null;
  /** The split's point after each row; never goes back. Rows with equal points belong to one message and are taken together. */
  readonly points: RowPoints;
  /**
   * When the source made each change, or else the time of its message: microseconds since 1970 UTC, `NO_TIME` where neither is known.
   * Absent: nobody asks, as only history tables do.
   */
  readonly timesUs?: BigInt64Array;
  /** The messages of rows that leave values out, for dead letters: see `keepMessages`. Absent: nobody asks, or the source has none. */
  readonly messages?: MessageSlab | undefined;
  /** Memory held by the batch, roughly. */
  readonly sizeBytes: number;
}

export interface RowPoints {
  /** The split's resume point when every row up to and including `row` has been taken. */
  after(row: number): string;
}

/** Points of splits that are ordered by a number: the next offset after each row. */
export function offsetPoints(nextOffsets: BigInt64Array, generation = 1): RowPoints {
  return { after: (row) => countedText(nextOffsets[row] as bigint, generation) };
}
