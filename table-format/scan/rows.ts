import { gatherColumn } from "../arrow/gather.ts";
import type { FileIO } from "../io/file-io.ts";
import type { DataFile } from "../manifest/data-file.ts";
import { snapshotSchema } from "../metadata/refs.ts";
import type { Snapshot, TableMetadata } from "../metadata/table-metadata.ts";
import type { RoaringBitmap } from "../puffin/roaring.ts";
import type { NestedField, Schema } from "../schema/types.ts";
import type { AnyColumn } from "../values/cell.ts";
import { readColumns } from "./data-columns.ts";
import { deletedPositions } from "./deleted-positions.ts";
import { equalityDeletes } from "./equality-deletes.ts";
import { type FileScanTask, planFiles, type PlanOptions } from "./file-tasks.ts";
import { rowFilter } from "./row-filter.ts";

/** Live rows of a part of a data file. */
export interface ScannedRows {
  readonly file: DataFile;
  /** Positions in the file, one a row. */
  readonly positions: Uint32Array;
  readonly length: number;
  /** In the order of the fields asked for. */
  readonly columns: readonly AnyColumn[];
}

export interface ScanOptions extends PlanOptions {
  /** The columns to read, as the table has them now; by default all of the schema. */
  readonly fields?: readonly NestedField[];
}

/**
 * Reads the live rows of a snapshot, file by file and row group by row group: deletion vectors, position deletes and equality
 * deletes are applied, columns are found by field id and have their present type. With a filter exactly the rows of which it is true:
 * files and row groups that hold none are not read, and what partitions and metrics leave open is tested row by row.
 *
 * @throws FrazilError `unsupported` naming what is not read; `config` for a filter that does not fit; `not-found`, `corrupt`
 */
export async function* scanRows(
  io: FileIO,
  metadata: TableMetadata,
  snapshot: Snapshot,
  options: ScanOptions = {},
): AsyncGenerator<ScannedRows> {
  const schema = options.schema ?? snapshotSchema(metadata, snapshot);
  yield* readTasks(io, metadata, planFiles(io, metadata, snapshot, options), schema, options.fields ?? schema.fields);
}

/**
 * Reads the rows of planned files.
 * @param schema that the filter was bound to
 */
export async function* readTasks(
  io: FileIO,
  metadata: TableMetadata,
  tasks: AsyncIterable<FileScanTask>,
  schema: Schema,
  fields: readonly NestedField[],
): AsyncGenerator<ScannedRows> {
  const positions = deletedPositions(io);
  const equality = equalityDeletes(io, metadata);
  for await (const task of tasks) {
    const { file } = task.data;
    const dead = await positions.of(file, task.deletes);
    const gone = task.equalityDeletes.length === 0 ? dead : dead.union(await equality.of(file, task.equalityDeletes));
    yield* matchingRows(io, metadata, task, schema, fields, gone);
  }
}

async function* matchingRows(
  io: FileIO,
  metadata: TableMetadata,
  { data: { file }, residual }: FileScanTask,
  schema: Schema,
  fields: readonly NestedField[],
  gone: RoaringBitmap,
): AsyncGenerator<ScannedRows> {
  const filter = rowFilter(residual, schema);
  const wanted = [...fields, ...filter.fields];
  for await (const { start, length, columns } of readColumns(io, metadata, file, wanted, undefined, residual)) {
    const isTrue = filter.test(columns.slice(fields.length));
    const rows = new Uint32Array(length);
    let live = 0;
    for (let row = 0; row < length; row++) if (!gone.has(start + row) && isTrue(row)) rows[live++] = row;
    const chosen = rows.subarray(0, live);
    const asked = columns.slice(0, fields.length);
    const kept = live === length ? asked : asked.map((column) => pick(column, chosen));
    yield { file, positions: chosen.map((row) => start + row), length: live, columns: kept };
  }
}

/** Some rows of a column. */
export function pick(column: AnyColumn, rows: Uint32Array): AnyColumn {
  if (column.layout !== "cells") return gatherColumn(column.type, [column], new Uint16Array(rows.length), rows);
  return { ...column, length: rows.length, values: Array.from(rows, (row) => column.values[row] ?? null) };
}
