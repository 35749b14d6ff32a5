import { must } from "../errors.ts";
import type { FileIO } from "../io/file-io.ts";
import { SCANNED_BYTES_AHEAD, SCANNED_FILES_AHEAD } from "../limits.ts";
import type { DataFile } from "../manifest/data-file.ts";
import { snapshotSchema } from "../metadata/refs.ts";
import type { Snapshot, TableMetadata } from "../metadata/table-metadata.ts";
import type { RoaringBitmap } from "../puffin/roaring.ts";
import type { NestedField, Schema } from "../schema/types.ts";
import type { AnyColumn } from "../values/cell.ts";
import { pickRows, readColumns } from "./data-columns.ts";
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
  const open = async (task: FileScanTask): Promise<OpenedFile> => {
    const { file } = task.data;
    const dead = await positions.of(file, task.deletes);
    const gone = task.equalityDeletes.length === 0 ? dead : dead.union(await equality.of(file, task.equalityDeletes));
    const rows = matchingRows(io, metadata, task, schema, fields, gone);
    return { first: await rows.next(), rows };
  };
  for await (const { first, rows } of openedAhead(tasks, open)) {
    if (first.done === true) continue;
    yield first.value;
    yield* rows;
  }
}

/** A file whose first rows have been read. */
interface OpenedFile {
  readonly first: IteratorResult<ScannedRows>;
  readonly rows: AsyncGenerator<ScannedRows>;
}

async function* openedAhead(
  tasks: AsyncIterable<FileScanTask>,
  open: (task: FileScanTask) => Promise<OpenedFile>,
): AsyncGenerator<OpenedFile> {
  const underWay: { readonly size: number; readonly opened: Promise<OpenedFile> }[] = [];
  let bytes = 0;
  for await (const task of tasks) {
    const size = Number(task.data.file.fileSizeBytes);
    while (underWay.length > 0 && (underWay.length >= SCANNED_FILES_AHEAD || bytes + size > SCANNED_BYTES_AHEAD)) {
      const next = must(underWay.shift(), "a file under way");
      bytes -= next.size;
      yield await next.opened;
    }
    const opened = open(task);
    // It is awaited in its turn, or never, when the consumer goes away.
    opened.catch(() => undefined);
    underWay.push({ size, opened });
    bytes += size;
  }
  for (const { opened } of underWay) yield await opened;
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
  const later = fields.filter((field) => !filter.fields.includes(field));
  for await (const batch of readColumns(io, metadata, file, filter.fields, undefined, residual, later)) {
    const { start, length } = batch;
    const isTrue = filter.test(batch.columns);
    const rows = new Uint32Array(length);
    let live = 0;
    for (let row = 0; row < length; row++) if (!gone.has(start + row) && isTrue(row)) rows[live++] = row;
    if (live === 0) continue;
    const chosen = rows.subarray(0, live);
    const more = await batch.more(chosen);
    const tested = (place: number): AnyColumn => {
      const column = must(batch.columns[place], `column ${place}`);
      return live === length ? column : pickRows(column, chosen);
    };
    const columns = fields.map((field) => {
      const place = filter.fields.indexOf(field);
      return place < 0 ? must(more[later.indexOf(field)], field.name) : tested(place);
    });
    yield { file, positions: chosen.map((row) => start + row), length: live, columns };
  }
}
