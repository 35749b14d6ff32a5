import { readAvroColumns } from "../avro/data-reader.ts";
import { FrazilError } from "../errors.ts";
import type { BoundExpression } from "../expression/bound.ts";
import { mayMatch } from "../expression/value-range.ts";
import type { FileIO } from "../io/file-io.ts";
import type { DataFile, Value } from "../manifest/data-file.ts";
import { specById } from "../metadata/refs.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import { type DataFileFooter, encrypted } from "../parquet/footer.ts";
import { type ColumnSources, type PlacedBatch, readParquetColumns, type RowGroupChoice } from "../parquet/reader.ts";
import { rowGroupRanges } from "../parquet/row-group-range.ts";
import type { RoaringBitmap } from "../puffin/roaring.ts";
import { nameMapping } from "../schema/name-mapping.ts";
import type { NestedField } from "../schema/types.ts";
import type { AnyColumn } from "../values/cell.ts";
import { gatherAny } from "../values/gather-any.ts";

/** What of a data file is read, and how. */
export interface ColumnReading {
  /** Awaited after each column of a batch, so that others may have their turn. */
  readonly breathe?: () => Promise<void>;
  /** Row groups are passed over when their statistics say that it is true of none of their rows. */
  readonly filter?: BoundExpression;
  /** Row groups without any of these positions are passed over. */
  readonly positions?: RoaringBitmap;
  /** Columns that `more` of a batch reads. */
  readonly later?: readonly NestedField[];
}

/**
 * Reads columns of any type from a data or delete file of a table, in file order: row numbers of the batches add up to positions.
 * A column that the file lacks is filled as the spec says ("Column Projection"): from the file's partition when that is an identity of
 * it, by the table's name mapping, from the field's `initial-default`, or with nulls.
 *
 * @param fields the batch's columns stand in this order
 * @throws FrazilError `unsupported` naming the format of an ORC or encrypted file; `not-found`; `corrupt`, also when the file has not as
 * many rows as its manifest says
 */
export async function* readColumns(
  io: FileIO,
  metadata: TableMetadata,
  file: DataFile,
  fields: readonly NestedField[],
  reading: ColumnReading = {},
): AsyncGenerator<PlacedBatch> {
  const sources = { mapping: nameMapping(metadata.properties), constants: constantsOf(metadata, file) };
  let rows = 0n;
  const choose = (footer: DataFileFooter): RowGroupChoice => {
    const isChosen = groupChoice(footer, reading);
    return (place, groupRows) => {
      const isRead = isChosen(place, groupRows);
      if (!isRead) rows += BigInt(groupRows);
      return isRead;
    };
  };
  for await (const batch of readFileColumns(io, file, fields, sources, reading.breathe, choose, reading.later)) {
    rows += BigInt(batch.length);
    yield batch;
  }
  if (rows !== file.recordCount) {
    const message = `${file.filePath}: expected ${file.recordCount} rows, as its manifest says, found ${rows}`;
    throw new FrazilError("corrupt", "RECORD_COUNT", message);
  }
}

/** Which row groups may hold rows that are wanted; asked for each in turn. */
function groupChoice(footer: DataFileFooter, { filter, positions }: ColumnReading): RowGroupChoice {
  // A filter that is always true needs no statistics.
  const ranges = filter === undefined || filter.kind === "true" ? null : rowGroupRanges(footer);
  let start = 0;
  let below = 0;
  return (place, groupRows) => {
    const before = below;
    start += groupRows;
    below = positions?.rank(start) ?? 0;
    if (positions !== undefined && below === before) return false;
    return filter === undefined || ranges === null || mayMatch(filter, ranges(place));
  };
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
  choose?: (footer: DataFileFooter) => RowGroupChoice,
  later: readonly NestedField[] = [],
): AsyncGenerator<PlacedBatch> {
  if (file.keyMetadata !== null) throw encrypted(file.filePath);
  switch (file.fileFormat) {
    case "PARQUET":
      yield* readParquetColumns(io, file, fields, sources, breathe, choose, later);
      return;
    case "AVRO": {
      const { length, columns } = await readAvroColumns(io, file, [...fields, ...later], sources);
      const [now, rest] = [columns.slice(0, fields.length), columns.slice(fields.length)];
      yield { start: 0, length, columns: now, more: async (rows) => rest.map((column) => pickRows(column, rows)) };
      return;
    }
    default:
      throw new FrazilError(
        "unsupported",
        "FILE_FORMAT",
        `${file.filePath}: Parquet and Avro files are read, found ${file.fileFormat}`,
      );
  }
}

/** Some rows of a column. */
export function pickRows(column: AnyColumn, rows: Uint32Array): AnyColumn {
  return gatherAny(column.type, [column], new Uint16Array(rows.length), rows);
}

/** Values of a file's identity partitions by the id of their source. */
function constantsOf(metadata: TableMetadata, file: DataFile): ReadonlyMap<number, Value | null> {
  const constants = new Map<number, Value | null>();
  specById(metadata, file.specId).fields.forEach((field, i) => {
    if (field.transform === "identity") constants.set(field.sourceId, file.partition[i] ?? null);
  });
  return constants;
}
