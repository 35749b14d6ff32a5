import type { PrimitiveType } from "../../table-format/index.ts";

/** One entry of a job's `tables:`. */
export interface TableRule {
  /** A stream (topic) or the table id that the format carries; `*` and `?` are wild. */
  readonly from: string;
  /** `namespace.table`; may contain `${topic}`, `${table}`, `${schema}`, `${db}`. */
  readonly to: string;
  readonly mode: "upsert" | "append" | "history";
  /** Null: what the messages name. */
  readonly key: readonly string[] | null;
  readonly columns: ReadonlyMap<string, PrimitiveType>;
  readonly partitionBy: readonly string[];
  /** Null: as the table has it. */
  readonly sortBy: readonly string[] | null;
  readonly formatVersion: 2 | 3;
  /** `ignore`: the table stays as it is; columns that it lacks are left out, and values that its types cannot hold are bad data. */
  readonly schemaChanges: "evolve" | "refuse" | "ignore";
  /** Upsert tables: the column that tells when a row was deleted, which stays in the table. Absent: deletes take rows out. */
  readonly softDelete?: string | undefined;
  /** Upsert tables: deletes and truncates are counted, and nothing else. */
  readonly ignoreDeletes?: boolean | undefined;
  /** Upsert tables: a change with a lower value in this column than its key's row has comes too late, and is dropped. */
  readonly orderBy?: string | undefined;
  /** Append tables: rows whose key was written not long before are dropped. */
  readonly dedupe?: Dedupe | undefined;
}

/** What makes a row of an append table a second copy of another. */
export interface Dedupe {
  readonly key: readonly string[];
  /** Copies whose times lie less than this apart are one row. */
  readonly windowMs: number;
}

/** Whether a table's rows need the time of their changes (`ChangeBatch.timesUs`). */
export function needsTimes({ mode, softDelete, dedupe }: Pick<TableRule, "mode" | "softDelete" | "dedupe">): boolean {
  return mode === "history" || softDelete !== undefined || dedupe !== undefined;
}
