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
  readonly schemaChanges: "evolve" | "refuse" | "ignore";
}
