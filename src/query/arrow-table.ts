import type { DuckDBType, DuckDBValue } from "@duckdb/node-api";
import { makeData, RecordBatch, Schema, Struct, Table, tableToIPC } from "apache-arrow";
import { arrowData } from "./arrow-column.ts";
import { arrowField } from "./arrow-type.ts";

/** The columns that rows have. */
export interface RowColumns {
  readonly names: readonly string[];
  readonly types: readonly DuckDBType[];
  /** Columns of the table that are never null. */
  readonly required: ReadonlySet<string>;
}

/** The Arrow schema of some columns. @throws FrazilError `unsupported` for types without an Arrow form. */
export function arrowSchema({ names, types, required }: RowColumns): Schema {
  return new Schema(names.map((name, index) => arrowField(name, types[index] as DuckDBType, !required.has(name))));
}

/** Rows as one record batch. */
export function arrowBatch(schema: Schema, rows: readonly (readonly DuckDBValue[])[]): RecordBatch {
  const children = schema.fields.map((field, index) =>
    arrowData(
      field.type,
      rows.map((row) => row[index] ?? null),
    ),
  );
  return new RecordBatch(
    schema,
    makeData({ type: new Struct(schema.fields), length: rows.length, nullCount: 0, children }),
  );
}

/** A table of batches, or an empty one that knows its columns. */
export function arrowTable(schema: Schema, batches: readonly RecordBatch[]): Table {
  return new Table(schema, [...batches]);
}

/** The changes' own columns, which are never null: a deleted row may be older than the rule that a column of the table is not. */
const CHANGE_COLUMNS: ReadonlySet<string> = new Set(["_op", "_snapshot_id", "_commit_ts"]);

/** The columns of changes or of a diff, for Arrow. */
export function changedColumns({ names, types }: Pick<RowColumns, "names" | "types">): RowColumns {
  const own = names.findIndex((name) => !CHANGE_COLUMNS.has(name));
  return { names, types, required: new Set(own < 0 ? names : names.slice(0, own)) };
}

/** Arrow's IPC streaming format piece by piece: `start`, then batches, then `end`. */
export interface ArrowStream {
  readonly schema: Schema;
  readonly start: Uint8Array;
  batch(rows: readonly (readonly DuckDBValue[])[]): Uint8Array;
  readonly end: Uint8Array;
}

/** The mark at the end of a stream: a continuation and a length of nothing (Arrow, "IPC Streaming Format"). */
const END_BYTES = 8;

/** A stream of rows with these columns. @throws FrazilError `unsupported` for types without an Arrow form. */
export function arrowStream(columns: RowColumns): ArrowStream {
  const schema = arrowSchema(columns);
  // A whole stream each time; what frames it is the same for all.
  const empty = tableToIPC(arrowTable(schema, []), "stream");
  const head = empty.length - END_BYTES;
  return {
    schema,
    start: empty.subarray(0, head),
    batch(rows) {
      const bytes = tableToIPC(arrowTable(schema, [arrowBatch(schema, rows)]), "stream");
      return bytes.subarray(head, bytes.length - END_BYTES);
    },
    end: empty.subarray(head),
  };
}
