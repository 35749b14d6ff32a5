import { randomUUID } from "node:crypto";
import {
  type Column,
  currentSchema,
  currentSnapshot,
  type DataFile,
  defaultSpec,
  type FileIO,
  type LiveFile,
  openDataFileWriter,
  parquetDataFile,
  partitionTuple,
  planSnapshot,
  type PrimitiveType,
  readColumns,
  RoaringBitmap,
  type TableMetadata,
  tupleKey,
  type Value,
  valueAt,
} from "../../../table-format/index.ts";
import { columnOf } from "../../unit/table-format/columns.ts";

export type WrittenRow = Readonly<Record<string, Value | null>>;

/** Data files of rows as a table wants them now, one a partition. */
export async function writeRows(io: FileIO, metadata: TableMetadata, rows: readonly WrittenRow[]): Promise<DataFile[]> {
  const schema = currentSchema(metadata);
  const spec = defaultSpec(metadata);
  const columnsOf = (some: readonly WrittenRow[]): Column[] =>
    schema.fields.map(({ name, type }) =>
      columnOf(
        type as PrimitiveType,
        some.map((row) => row[name] ?? null),
      ),
    );
  const files: DataFile[] = [];
  const tuple = (row: WrittenRow) => partitionTuple(spec, schema, columnsOf([row]), 0);
  for (const group of Map.groupBy(rows, (row) => tupleKey(tuple(row))).values()) {
    const filePath = `${metadata.location}/data/${randomUUID()}.parquet`;
    const writer = openDataFileWriter({ schema, output: await io.openWrite(filePath) });
    await writer.write({ length: group.length, columns: columnsOf(group) });
    const partition = tuple(group[0] as WrittenRow);
    files.push(parquetDataFile(await writer.finish(), { filePath, specId: spec.specId, partition }));
  }
  return files;
}

/** Where the rows of `main` lie that a test wants, whether or not they are deleted already. */
export async function placesOf(
  io: FileIO,
  metadata: TableMetadata,
  column: string,
  isWanted: (value: Value | null) => boolean,
): Promise<{ dataFile: LiveFile; positions: RoaringBitmap }[]> {
  const field = currentSchema(metadata).fields.find(({ name }) => name === column);
  const head = currentSnapshot(metadata);
  if (field === undefined || head === null) throw new Error(`no column ${column}, or no snapshot`);
  const places = [];
  for (const dataFile of (await planSnapshot(io, metadata, head)).dataFiles) {
    const positions = new RoaringBitmap();
    let at = 0;
    for await (const { length, columns } of readColumns(io, metadata, dataFile.file, [field])) {
      for (let row = 0; row < length; row++, at++) if (isWanted(valueAt(columns[0] as Column, row))) positions.add(at);
    }
    if (positions.cardinality > 0) places.push({ dataFile, positions });
  }
  return places;
}
