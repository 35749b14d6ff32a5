import type { PrimitiveType } from "../../table-format/index.ts";
import type { ChangeColumn } from "./change-batch.ts";

/** What a decoder must know of a target table. */
export interface TableBinding {
  /** Dense number: `ChangeBatch.table`. */
  readonly table: number;
  /** `namespace.table`, for messages. */
  readonly target: string;
  readonly mode: "upsert" | "append" | "history";
  /** Whether rows are to tell their times: `ChangeBatch.timesUs`. */
  readonly timed?: boolean | undefined;
  /** The column that orders the changes of a key: deletes bring it where their message has it. */
  readonly orderBy?: string | undefined;
  /** The column that the table's rule adds to those of the changes. */
  readonly ownColumn?: string | undefined;
  /** Whether a delete that is sent twice does more than one: it counts, sets a time or is held against the row. */
  readonly onceDeleted?: boolean | undefined;
  /** `key:` of the job; null = what the message names. */
  readonly key: readonly string[] | null;
  /** `columns:` of the job: these types win over declared ones. */
  readonly columns: ReadonlyMap<string, PrimitiveType>;
  /** Types the table has now (empty when it does not exist yet): they win over inference, and over declared types with `keepsColumns`. */
  readonly existing: ReadonlyMap<string, PrimitiveType>;
  /** Whether the table stays as it is: columns that `existing` lacks are left out, once it has any. */
  readonly keepsColumns?: boolean | undefined;
}

/**
 * Finds the table of a record by its stream (Kafka topic; the generator's table) and, where the format carries one, its table id
 * (`schema.table` or `db.table`). Null when no entry of `tables:` matches. Bindings are created at first use, equal answers share one.
 */
export interface TableRouter {
  route(stream: string, tableId: string | null): TableBinding | null;
  /** Whether `stream` alone decides, so that a format need not look for the table id. */
  byStream(stream: string): TableBinding | null;
}

/** Notes that a decoder raises once per subject: inferred types, unrouted tables; of statements all. */
export interface DecodeNotices {
  inferred(binding: TableBinding, column: ChangeColumn): void;
  unrouted(stream: string, tableId: string | null): void;
  /** A column was left out that a table lacks which keeps its columns as they are. */
  leftOut?(binding: TableBinding, column: string): void;
  /** A statement that changes a table in another way than by rows was skipped; `kind` as the messages name it, such as `ALTER`. */
  statement?(stream: string, tableId: string | null, kind: string): void;
}
