import type { DuckDBValue } from "@duckdb/node-api";
import {
  type AnyColumn,
  cellAt,
  type Expression,
  type FileIO,
  type FileScanTask,
  type NestedField,
  planFiles,
  planSnapshot,
  readTasks,
  type Snapshot,
} from "../../table-format/index.ts";
import type { TableAt } from "./as-of.ts";
import { conditionExpression } from "./condition/translate.ts";
import type { ResultRows } from "./duckdb.ts";
import { type DuckdbColumn, duckdbColumn } from "./duckdb-values.ts";
import { filesInPart, type Part, type RowChoice } from "./row-choice.ts";

/** Rows in a piece of the result, as DuckDB gives them. */
const CHUNK_ROWS = 2048;

/** A choice of rows that the table format answers by itself. */
export interface PlannedScan {
  readonly filter: Expression;
  readonly fields: readonly NestedField[];
  readonly columns: readonly DuckdbColumn[];
}

/** Null where DuckDB is to read: without a condition, and for conditions and columns of which only DuckDB knows what they give. */
export function plannedScan(
  { schema }: TableAt,
  { where }: RowChoice,
  fields: readonly NestedField[],
): PlannedScan | null {
  if (where === null) return null;
  const columns = fields.map(({ type }) => duckdbColumn(type));
  if (!columns.every((column) => column !== null)) return null;
  const filter = conditionExpression(where, schema);
  return filter === null ? null : { filter, fields, columns };
}

/**
 * The rows of which the condition is true. Of manifests, files and row groups only those are read that may hold some, and of columns only
 * those that are asked for; over an object store nothing else is fetched.
 */
export function plannedRows(
  io: FileIO,
  at: TableAt,
  { part }: RowChoice,
  { filter, fields, columns }: PlannedScan,
): Pick<ResultRows, "types" | "chunks"> {
  return {
    types: columns.map(({ type }) => type),
    async *chunks() {
      const { snapshot, schema } = at;
      if (snapshot === null) return;
      const { metadata } = at.table;
      const tasks = planFiles(io, metadata, snapshot, { filter, schema });
      const mine = part === null ? tasks : ofPart(tasks, await filesOfPart(io, at, snapshot, part));
      for await (const { length, columns: cells } of readTasks(io, metadata, mine, schema, fields)) {
        yield* valueChunks(length, cells, columns);
      }
    },
  };
}

/** By all files of the table: whoever reads another part may choose other rows. */
async function filesOfPart(io: FileIO, at: TableAt, snapshot: Snapshot, part: Part): Promise<ReadonlySet<string>> {
  const { dataFiles } = await planSnapshot(io, at.table.metadata, snapshot);
  return new Set(filesInPart(dataFiles, part).map(({ file }) => file.filePath));
}

async function* ofPart(tasks: AsyncIterable<FileScanTask>, paths: ReadonlySet<string>): AsyncGenerator<FileScanTask> {
  for await (const task of tasks) if (paths.has(task.data.file.filePath)) yield task;
}

function* valueChunks(
  length: number,
  cells: readonly AnyColumn[],
  columns: readonly DuckdbColumn[],
): Generator<DuckDBValue[][]> {
  for (let start = 0; start < length; start += CHUNK_ROWS) {
    const count = Math.min(CHUNK_ROWS, length - start);
    yield Array.from({ length: count }, (_, row) =>
      columns.map((column, k) => {
        const cell = cellAt(cells[k] as AnyColumn, start + row);
        return cell === null ? null : column.value(cell);
      }),
    );
  }
}
