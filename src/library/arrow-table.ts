import type { DuckDBType, DuckDBValue } from "@duckdb/node-api";
import { makeData, RecordBatch, Schema, Struct, Table } from "apache-arrow";
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
