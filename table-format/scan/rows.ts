import type { FileIO } from "../io/file-io.ts";
import { snapshotSchema } from "../metadata/refs.ts";
import type { Snapshot, TableMetadata } from "../metadata/table-metadata.ts";
import type { NestedField, Schema } from "../schema/types.ts";
import { deletedPositions } from "./deleted-positions.ts";
import { equalityDeletes } from "./equality-deletes.ts";
import { fileRows, inTurn, type ScannedRows } from "./file-rows.ts";
import { type FileScanTask, planFiles, type PlanOptions } from "./file-tasks.ts";

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
  const open = async ({ data: { file }, deletes, equalityDeletes: byKey, residual }: FileScanTask) => {
    const dead = await positions.of(file, deletes);
    const gone = byKey.length === 0 ? dead : dead.union(await equality.of(file, byKey));
    const isWanted = (position: number): boolean => !gone.has(position);
    return fileRows(io, metadata, { file, positions: null, isWanted, residual }, schema, fields);
  };
  for await (const [, rows] of inTurn(tasks, ({ data }) => data.file.fileSizeBytes, open)) yield rows;
}
