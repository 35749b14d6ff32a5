import type { OutputStream } from "../io/file-io.ts";
import type { DataFile } from "../manifest/data-file.ts";
import type { Schema } from "../schema/types.ts";
import type { AnyBatch } from "../values/cell.ts";

/**
 * Encodes batches into one Parquet data file, row group by row group, with Iceberg's field ids and column metrics.
 * The seam behind which the encoder can be replaced: columns in Arrow layout go in, bytes go to the stream.
 */
export interface DataFileWriter {
  /**
   * Appends rows. Columns stand in the order of the schema's fields and have their types. Columns of structs, lists and maps are
   * given as they are read, value by value (`Cell`); `batchOfRows` makes a batch of objects.
   * @throws FrazilError `data` for nulls where a field is required, and for values of another type in nested columns
   */
  write(batch: AnyBatch): Promise<void>;
  /** Bytes written to the stream so far plus an estimate of what is buffered. */
  readonly estimatedBytes: number;
  readonly recordCount: number;
  /** Writes the footer and closes the stream. */
  finish(): Promise<EncodedFile>;
  /** Drops the file. */
  abort(): Promise<void>;
}

export interface DataFileWriterOptions {
  readonly schema: Schema;
  readonly output: OutputStream;
  /** The table's: `write.metadata.metrics.*` say what the entry of the file tells of its columns. Default: counts, and bounds of 16. */
  readonly properties?: ReadonlyMap<string, string> | undefined;
  /** A row group ends when its estimated uncompressed size reaches this (default 32 MiB). */
  readonly rowGroupSizeBytes?: number;
  /** Awaited after each column of a row group is encoded, so that others may have their turn. */
  readonly breathe?: (() => Promise<void>) | undefined;
}

/** What a manifest entry says of the encoded file. */
export type EncodedFile = Pick<
  DataFile,
  | "recordCount"
  | "fileSizeBytes"
  | "columnSizes"
  | "valueCounts"
  | "nullValueCounts"
  | "nanValueCounts"
  | "lowerBounds"
  | "upperBounds"
  | "splitOffsets"
>;
