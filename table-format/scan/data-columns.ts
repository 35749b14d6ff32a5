import { readAvroColumns } from "../avro/data-reader.ts";
import { FrazilError } from "../errors.ts";
import type { FileIO } from "../io/file-io.ts";
import type { DataFile, Value } from "../manifest/data-file.ts";
import { specById } from "../metadata/refs.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import { encrypted } from "../parquet/footer.ts";
import { type ColumnSources, readParquetColumns } from "../parquet/reader.ts";
import { nameMapping } from "../schema/name-mapping.ts";
import type { NestedField } from "../schema/types.ts";
import type { AnyBatch } from "../values/cell.ts";

/**
 * Reads columns of any type from a data or delete file of a table, in file order: row numbers of the batches add up to positions.
 * A column that the file lacks is filled as the spec says ("Column Projection"): from the file's partition when that is an identity of
 * it, by the table's name mapping, from the field's `initial-default`, or with nulls.
 *
 * @param fields the batch's columns stand in this order
 * @param breathe awaited after each column of a batch, so that others may have their turn
 * @throws FrazilError `unsupported` naming the format of an ORC or encrypted file; `not-found`, `corrupt`
 */
export async function* readColumns(
  io: FileIO,
  metadata: TableMetadata,
  file: DataFile,
  fields: readonly NestedField[],
  breathe?: () => Promise<void>,
): AsyncGenerator<AnyBatch> {
  const sources = { mapping: nameMapping(metadata.properties), constants: constantsOf(metadata, file) };
  let rows = 0n;
  for await (const batch of readFileColumns(io, file, fields, sources, breathe)) {
    rows += BigInt(batch.length);
    yield batch;
  }
  if (rows !== file.recordCount) {
    const message = `${file.filePath}: expected ${file.recordCount} rows, as its manifest says, found ${rows}`;
    throw new FrazilError("corrupt", "RECORD_COUNT", message);
  }
}

/**
 * Reads columns of a file of any format, when the table has nothing to say of it beside `sources`.
 * @throws FrazilError as `readColumns`
 */
export async function* readFileColumns(
  io: FileIO,
  file: DataFile,
  fields: readonly NestedField[],
  sources: ColumnSources,
  breathe?: () => Promise<void>,
): AsyncGenerator<AnyBatch> {
  if (file.keyMetadata !== null) throw encrypted(file.filePath);
  switch (file.fileFormat) {
    case "PARQUET":
      yield* readParquetColumns(io, file, fields, sources, breathe);
      return;
    case "AVRO":
      yield await readAvroColumns(io, file, fields, sources);
      return;
    default:
      throw new FrazilError(
        "unsupported",
        "FILE_FORMAT",
        `${file.filePath}: Parquet and Avro files are read, found ${file.fileFormat}`,
      );
  }
}

/** Values of a file's identity partitions by the id of their source. */
function constantsOf(metadata: TableMetadata, file: DataFile): ReadonlyMap<number, Value | null> {
  const constants = new Map<number, Value | null>();
  specById(metadata, file.specId).fields.forEach((field, i) => {
    if (field.transform === "identity") constants.set(field.sourceId, file.partition[i] ?? null);
  });
  return constants;
}
