import {
  batchOfRows,
  type CellStruct,
  type DataFile,
  type FileIO,
  type LoadedTable,
  must,
  openDataFileWriter,
  parquetDataFile,
  withLineage,
} from "../../../../table-format/index.ts";
import type { FilterColumn } from "../expression/filters.ts";

/** A row with what lineage says of it. */
export interface IdRow {
  readonly id: bigint;
  readonly part: string;
  readonly _row_id?: bigint | null;
  readonly _last_updated_sequence_number?: bigint | null;
}

/** What filters on them compare. */
export const ID_ROW_COLUMNS: readonly FilterColumn[] = [
  { term: "id", type: { kind: "long" }, values: [1n, 3n, 10n, 20n, 29n] },
  { term: "part", type: { kind: "string" }, values: ["a", "b", "c"] },
];

/** A data file of rows, with the lineage that they bring. */
export async function writeIdRows(
  { metadata }: LoadedTable,
  io: FileIO,
  name: string,
  rows: readonly IdRow[],
): Promise<DataFile[]> {
  if (rows.length === 0) return [];
  const schema = withLineage(must(metadata.schemas[0], "a schema"));
  const filePath = `${metadata.location}/data/${name}.parquet`;
  const writer = openDataFileWriter({ schema, output: await io.openWrite(filePath) });
  await writer.write(batchOfRows(schema, rows as unknown as CellStruct[]));
  return [parquetDataFile(await writer.finish(), { filePath, specId: 0, partition: [] })];
}
