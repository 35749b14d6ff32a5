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
  /** `key:` of the job; null = what the message names. */
  readonly key: readonly string[] | null;
  /** Types that win over declared ones: `columns:` of the job and, where a table keeps its columns as they are, those that it has. */
  readonly columns: ReadonlyMap<string, PrimitiveType>;
  /** Types the table has now (empty when it does not exist yet): they win over inference, never over declared types. */
  readonly existing: ReadonlyMap<string, PrimitiveType>;
  /** Whether columns that `existing` lacks are left out, once it has any. */
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
  /** A statement that changes a table in another way than by rows was skipped; `kind` as the messages name it, such as `ALTER`. */
  statement?(stream: string, tableId: string | null, kind: string): void;
}
