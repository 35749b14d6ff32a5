// Data files of rows, for the tests of this folder.
import type { Column, ColumnBatch } from "../../../../table-format/arrow/column.ts";
import type { FileIO } from "../../../../table-format/io/file-io.ts";
import type { Value } from "../../../../table-format/manifest/data-file.ts";
import type { EncodedFile } from "../../../../table-format/parquet/data-file-writer.ts";
import { openDataFileWriter } from "../../../../table-format/parquet/hyparquet-encoder.ts";
import { readDataFile } from "../../../../table-format/parquet/reader.ts";
import type { PrimitiveType, Schema } from "../../../../table-format/schema/types.ts";
import { columnOf, valuesOf } from "../columns.ts";

export type Rows = readonly (Value | null)[];

/** Fields are numbered from 1 and named f1, f2, …; types may say `required`. */
export function schemaOf(types: readonly (PrimitiveType & { required?: boolean })[]): Schema {
  const fields = types.map(({ required = false, ...type }, k) => ({
    id: k + 1,
    name: `f${k + 1}`,
    required,
    type: type as PrimitiveType,
  }));
  return { schemaId: 0, fields, identifierFieldIds: [] };
}

export function batchOf(schema: Schema, columns: readonly Rows[]): ColumnBatch {
  return {
    length: columns[0]?.length ?? 0,
    columns: schema.fields.map((field, k) => columnOf(field.type as PrimitiveType, columns[k] ?? [])),
  };
}

export async function writeFile(
  io: FileIO,
  location: string,
  schema: Schema,
  batches: readonly ColumnBatch[],
  rowGroupSizeBytes?: number,
): Promise<EncodedFile> {
  const output = await io.openWrite(location);
  const writer = openDataFileWriter({ schema, output, ...(rowGroupSizeBytes !== undefined && { rowGroupSizeBytes }) });
  for (const batch of batches) await writer.write(batch);
  return writer.finish();
}

/** All rows of the file, column by column, and the rows of each row group. */
export async function readFile(
  io: FileIO,
  location: string,
  schema: Schema,
  fieldIds: readonly number[] = schema.fields.map(({ id }) => id),
): Promise<{ columns: (Value | null)[][]; groups: number[] }> {
  const fileSizeBytes = (await io.stat(location))?.sizeBytes ?? 0;
  let columns = fieldIds.map((): (Value | null)[] => []);
  const groups: number[] = [];
  for await (const batch of readDataFile(io, { filePath: location, fileSizeBytes }, schema, fieldIds)) {
    groups.push(batch.length);
    columns = columns.map((rows, k) => [...rows, ...valuesOf(batch.columns[k] as Column)]);
  }
  return { columns, groups };
}
