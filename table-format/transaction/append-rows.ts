import type { LoadedTable } from "../catalog/catalog.ts";
import type { Column } from "../arrow/column.ts";
import { batchOfRows } from "../arrow/row-batch.ts";
import { FrazilError } from "../errors.ts";
import { mapConcurrently } from "../io/concurrent-map.ts";
import { FILES_DELETED_AT_ONCE, OPEN_PARTITIONS } from "../limits.ts";
import type { DataFile, Value } from "../manifest/data-file.ts";
import { currentSchema, defaultSpec } from "../metadata/refs.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import type { DataFileWriter } from "../parquet/data-file-writer.ts";
import { openDataFileWriter } from "../parquet/hyparquet-encoder.ts";
import { parquetDataFile } from "../parquet/parquet-data-file.ts";
import { partitionPath } from "../partition/path.ts";
import { tupleKey, tupleReader } from "../partition/tuple.ts";
import { pickRows } from "../scan/data-columns.ts";
import type { CellStruct } from "../values/cell.ts";
import { appendFiles } from "./append.ts";
import { commitOperations } from "./commit.ts";
import type { WriteContext } from "./operation.ts";
import type { SnapshotOptions } from "./snapshot-operation.ts";

/** Rows that become columns at once. */
const BATCH_ROWS = 10_000;

/** Rows as `batchOfRows` takes them. */
export type RowSource = Iterable<CellStruct> | AsyncIterable<CellStruct>;

/**
 * Writes rows as data files of the table, each of one partition, and commits them in one snapshot. Without a row nothing is committed.
 * After an error that says that nothing was committed the files are gone.
 *
 * @throws FrazilError `data` naming a column that the table lacks, or whose value is of another type or null where it is required; as
 *   `commitOperations`
 */
export async function appendRows(
  context: WriteContext,
  table: LoadedTable,
  rows: RowSource,
  options: SnapshotOptions = {},
): Promise<LoadedTable> {
  const dataFiles = await writeRows(context, table.metadata, rows);
  if (dataFiles.length === 0) return table;
  try {
    return await commitOperations(context, table, appendFiles({ ...options, dataFiles }));
  } catch (error) {
    const isCertain =
      error instanceof FrazilError &&
      error.code !== "COMMIT_STATE_UNKNOWN" &&
      error.kind !== "internal" &&
      error.kind !== "corrupt";
    if (isCertain) await discard(context, dataFiles);
    throw error;
  }
}

/**
 * Writes rows as data files, each of one partition, in the table's current schema and spec, to be committed by an operation. Files end at
 * the size that the table's `write.target-file-size-bytes` says. Rows stay in their order, and are not sorted. Held is a row group of each
 * of a few partitions: rows that come partition by partition make the fewest files.
 *
 * @throws FrazilError as `appendRows`; no file is left then
 */
export async function writeRows(
  context: Pick<WriteContext, "io" | "uuid">,
  metadata: TableMetadata,
  rows: RowSource,
): Promise<DataFile[]> {
  const files = new PartitionedFiles(context, metadata);
  try {
    let batch: CellStruct[] = [];
    for await (const row of rows) {
      batch.push(row);
      if (batch.length < BATCH_ROWS) continue;
      await files.write(batch);
      batch = [];
    }
    await files.write(batch);
    return await files.finish();
  } catch (error) {
    await files.abort();
    throw error;
  }
}

async function discard({ io }: Pick<WriteContext, "io">, files: readonly DataFile[]): Promise<void> {
  // What cannot be removed is garbage, nothing worse.
  await mapConcurrently(files, FILES_DELETED_AT_ONCE, ({ filePath }) => io.delete(filePath).catch(() => undefined));
}

interface OpenFile {
  readonly writer: DataFileWriter;
  readonly filePath: string;
  readonly partition: readonly (Value | null)[];
}

class PartitionedFiles {
  readonly #context: Pick<WriteContext, "io" | "uuid">;
  readonly #metadata: TableMetadata;
  readonly #targetBytes: number;
  readonly #uuid: string;
  readonly #tupleOf: ReturnType<typeof tupleReader>;
  /** By partition, the one that was written last at the end. */
  readonly #open = new Map<string, OpenFile>();
  readonly #finished: DataFile[] = [];
  #count = 0;

  constructor(context: Pick<WriteContext, "io" | "uuid">, metadata: TableMetadata) {
    this.#context = context;
    this.#metadata = metadata;
    this.#targetBytes = targetBytes(metadata);
    this.#uuid = context.uuid();
    this.#tupleOf = tupleReader(defaultSpec(metadata), currentSchema(metadata));
  }

  async write(rows: readonly CellStruct[]): Promise<void> {
    if (rows.length === 0) return;
    const { columns } = batchOfRows(currentSchema(this.#metadata), rows);
    const places = new Map<string, { readonly partition: (Value | null)[]; readonly rows: number[] }>();
    for (let row = 0; row < rows.length; row++) {
      // Partitions are of columns in Arrow layout: others are refused by the reader of tuples.
      const partition = this.#tupleOf(columns as readonly Column[], row);
      const key = tupleKey(partition);
      const place = places.get(key);
      if (place === undefined) places.set(key, { partition, rows: [row] });
      else place.rows.push(row);
    }
    for (const [key, { partition, rows: chosen }] of places) {
      const file = await this.#fileOf(key, partition);
      const picked = columns.map((column) => pickRows(column, Uint32Array.from(chosen)));
      await file.writer.write({ length: chosen.length, columns: picked });
      if (file.writer.estimatedBytes >= this.#targetBytes) await this.#close(key, file);
    }
  }

  async finish(): Promise<DataFile[]> {
    for (const [key, file] of this.#open) await this.#close(key, file);
    return this.#finished;
  }

  async abort(): Promise<void> {
    await Promise.all([...this.#open.values()].map(({ writer }) => writer.abort()));
    await discard(this.#context, this.#finished);
  }

  async #fileOf(key: string, partition: readonly (Value | null)[]): Promise<OpenFile> {
    const known = this.#open.get(key);
    if (known !== undefined) {
      this.#open.delete(key);
      this.#open.set(key, known);
      return known;
    }
    const [idle] = this.#open;
    if (idle !== undefined && this.#open.size >= OPEN_PARTITIONS) await this.#close(...idle);
    const schema = currentSchema(this.#metadata);
    const { properties, location } = this.#metadata;
    const root = (properties.get("write.data.path") ?? `${location}/data`).replace(/\/+$/, "");
    const folder = partitionPath(defaultSpec(this.#metadata), schema, partition);
    const name = `${String(this.#count++).padStart(5, "0")}-${this.#uuid}.parquet`;
    const filePath = [root, folder, name].filter((part) => part !== "").join("/");
    const writer = openDataFileWriter({ schema, properties, output: await this.#context.io.openWrite(filePath) });
    const file = { writer, filePath, partition };
    this.#open.set(key, file);
    return file;
  }

  async #close(key: string, { writer, filePath, partition }: OpenFile): Promise<void> {
    const encoded = await writer.finish();
    this.#open.delete(key);
    this.#finished.push(parquetDataFile(encoded, { filePath, specId: this.#metadata.defaultSpecId, partition }));
  }
}

/** Property `write.target-file-size-bytes`; Java's default when it is missing or malformed. */
function targetBytes({ properties }: TableMetadata): number {
  const text = properties.get("write.target-file-size-bytes")?.trim() ?? "";
  return /^[1-9]\d{0,15}$/.test(text) ? Number(text) : 512 * 1024 * 1024;
}
