import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import type { ColumnMetaData, RowGroup, SchemaElement, Statistics } from "hyparquet";
import type { Column, ColumnBatch } from "../arrow/column.ts";
import { FrazilError, must } from "../errors.ts";
import type { OutputStream } from "../io/file-io.ts";
import { type ColumnStatistics, combine, measure } from "./bounds.ts";
import type { ColumnRange } from "./column-range.ts";
import { compressZstd } from "./compression.ts";
import type { DataFileWriter, DataFileWriterOptions, EncodedFile } from "./data-file-writer.ts";
import { fileMetrics } from "./metrics.ts";
import { plainValues } from "./plain-values.ts";
import type { PrimitiveType } from "../schema/types.ts";
import { type LeafField, leafFields, physicalType, schemaElements } from "./schema-elements.ts";

const DEFAULT_ROW_GROUP_BYTES = 32 << 20;

/** Uncompressed bytes of one page; the unit of decompression. */
const PAGE_BYTES = 1 << 20;

/** A dictionary beyond this would be slow to build and no small read. */
const DICTIONARY_BYTES = 1 << 20;

/** Compressed to uncompressed size before the first row group is written. */
const FIRST_RATIO = 0.4;

/**
 * Writes a Parquet data file with hyparquet-writer: zstd, dictionaries where they halve a chunk, one row group at a time, so that
 * memory is bounded by the rows of one group and their encoded form. Batches are kept, not copied, until their group is written.
 *
 * The library encodes physical values only (the schema it sees while encoding has no logical types, so that it converts nothing);
 * the annotated schema and statistics of our own go into the footer.
 *
 * @throws FrazilError `unsupported` for columns that are not of a primitive type.
 */
export function openDataFileWriter(options: DataFileWriterOptions): DataFileWriter {
  return new HyparquetEncoder(options);
}

class HyparquetEncoder implements DataFileWriter {
  recordCount = 0;

  private readonly output: OutputStream;
  private readonly leaves: readonly LeafField[];
  private readonly identifiers: ReadonlySet<number>;
  private readonly fieldCount: number;
  private readonly rowGroupSizeBytes: number;
  private readonly breathe: (() => Promise<void>) | null;
  private readonly bytes = new ByteWriter();
  private readonly parquet: ParquetWriter;
  /** Rows of the open row group. */
  private ranges: { batch: ColumnBatch; start: number; end: number }[] = [];
  private bufferedBytes = 0;
  private writtenBytes = 0;
  private encodedBytes = 0;
  private readonly splitOffsets: bigint[] = [];
  private readonly statistics: (ColumnStatistics | null)[];
  private readonly columnSizes: number[];

  constructor({ schema, output, rowGroupSizeBytes = DEFAULT_ROW_GROUP_BYTES, breathe }: DataFileWriterOptions) {
    this.output = output;
    this.breathe = breathe ?? null;
    this.leaves = leafFields(schema);
    this.identifiers = new Set(schema.identifierFieldIds);
    this.fieldCount = schema.fields.length;
    this.rowGroupSizeBytes = rowGroupSizeBytes;
    this.statistics = this.leaves.map(() => null);
    this.columnSizes = this.leaves.map(() => 0);
    this.parquet = new ParquetWriter({
      writer: this.bytes,
      schema: encodingSchema(this.leaves),
      codec: "ZSTD",
      compressors: { ZSTD: compressZstd },
      statistics: false,
      createdBy: "frazil",
    });
  }

  get estimatedBytes(): number {
    const ratio = this.encodedBytes === 0 ? FIRST_RATIO : this.writtenBytes / this.encodedBytes;
    return this.writtenBytes + Math.ceil(this.bufferedBytes * ratio);
  }

  async write(batch: ColumnBatch): Promise<void> {
    if (batch.columns.length !== this.fieldCount) {
      throw new FrazilError(
        "internal",
        "WRONG_BATCH",
        `expected a batch of ${this.fieldCount} columns, found ${batch.columns.length}`,
      );
    }
    this.refuseNulls(batch);
    this.recordCount += batch.length;
    const bytesPerRow = batch.length === 0 ? 0 : batchBytes(batch) / batch.length;
    for (let start = 0; start < batch.length;) {
      const room = Math.ceil((this.rowGroupSizeBytes - this.bufferedBytes) / bytesPerRow);
      const end = Math.min(batch.length, start + Math.max(1, room));
      this.ranges.push({ batch, start, end });
      this.bufferedBytes += (end - start) * bytesPerRow;
      start = end;
      if (this.bufferedBytes >= this.rowGroupSizeBytes) await this.writeRowGroup();
    }
  }

  async finish(): Promise<EncodedFile> {
    if (this.ranges.length > 0) await this.writeRowGroup();
    this.parquet.schema = schemaElements(this.leaves);
    await this.parquet.finish();
    await this.flush();
    const { sizeBytes } = await this.output.close();
    return {
      recordCount: BigInt(this.recordCount),
      fileSizeBytes: BigInt(sizeBytes),
      splitOffsets: this.splitOffsets.length === 0 ? null : this.splitOffsets,
      ...fileMetrics(
        this.leaves.map(({ id, type }, place) => ({
          id,
          type,
          isIdentifier: this.identifiers.has(id),
          sizeBytes: this.columnSizes[place] as number,
          statistics: this.statistics[place] ?? measure([]),
        })),
      ),
    };
  }

  async abort(): Promise<void> {
    this.ranges = [];
    await this.output.abort();
  }

  private refuseNulls(batch: ColumnBatch): void {
    for (const { index, name, required } of this.leaves) {
      const nulls = (batch.columns[index] as Column).nullCount;
      if (required && nulls > 0) {
        throw new FrazilError("data", "NULL_IN_REQUIRED", `column ${name} is required, found ${nulls} nulls in it`);
      }
    }
  }

  private async writeRowGroup(): Promise<void> {
    const ranges = this.ranges;
    this.ranges = [];
    this.splitOffsets.push(BigInt(this.bytes.offset));
    const groupStatistics: ColumnStatistics[] = [];
    const groups = this.parquet.row_groups;
    const [groupsBefore, rowsBefore] = [groups.length, this.parquet.num_rows];
    // Column by column, so that one alone is held in both forms, and others may have their turn in between. The library takes each for a group.
    for (const { name, type, index } of this.leaves) {
      const column: ColumnRange[] = ranges.map(({ batch, start, end }) => {
        return { column: batch.columns[index] as Column, start, end };
      });
      groupStatistics.push(measure(column));
      const encoding = isWrittenPlain(type) ? { encoding: "PLAIN" as const } : {};
      await this.parquet.write({
        columnData: [{ name, data: plainValues(type, column), ...encoding }],
        rowGroupSize: Number.MAX_SAFE_INTEGER,
        pageSize: PAGE_BYTES,
        dictionarySize: DICTIONARY_BYTES,
      });
      await this.breathe?.();
    }
    const group = joined(groups.splice(groupsBefore));
    groups.push(group);
    this.parquet.num_rows = rowsBefore + group.num_rows;
    this.recordStatistics(groupStatistics);
    this.encodedBytes += this.bufferedBytes;
    this.bufferedBytes = 0;
    await this.flush();
  }

  private recordStatistics(groupStatistics: readonly ColumnStatistics[]): void {
    const group = must(this.parquet.row_groups.at(-1), "a row group was written");
    for (const [place, statistics] of groupStatistics.entries()) {
      const chunk: ColumnMetaData = must(group.columns[place]?.meta_data, "a chunk was written");
      chunk.statistics = footerStatistics(statistics);
      this.columnSizes[place] = (this.columnSizes[place] as number) + Number(chunk.total_compressed_size);
      const before = this.statistics[place] ?? null;
      this.statistics[place] = before === null ? statistics : combine(before, statistics);
    }
  }

  /** Hands over what is encoded. The stream may keep the memory, so the writer goes on with other. */
  private async flush(): Promise<void> {
    const chunk = this.bytes.getBytes();
    this.bytes.buffer = new ArrayBuffer(chunk.length);
    this.bytes.view = new DataView(this.bytes.buffer);
    this.bytes.index = 0;
    this.writtenBytes += chunk.length;
    await this.output.write(chunk);
  }
}

/** One row group of the chunks of several, which stand behind one another in the file. */
function joined(parts: readonly RowGroup[]): RowGroup {
  const sum = (of: (part: RowGroup) => bigint | undefined): bigint =>
    parts.reduce((total, part) => total + (of(part) ?? 0n), 0n);
  return {
    columns: parts.flatMap(({ columns }) => columns),
    total_byte_size: sum((part) => part.total_byte_size),
    num_rows: must(parts[0], "a row group has columns").num_rows,
    total_compressed_size: sum((part) => part.total_compressed_size),
  };
}

/**
 * The library's dictionary takes 0.0 and −0.0 for one value, and it writes booleans as runs, which Spark's vectorized reader
 * (Iceberg 1.11) refuses.
 */
function isWrittenPlain({ kind }: PrimitiveType): boolean {
  return kind === "float" || kind === "double" || kind === "boolean";
}

/** The schema without annotations, under which hyparquet-writer takes physical values as they are. */
function encodingSchema(leaves: readonly LeafField[]): SchemaElement[] {
  const elements = leaves.map(({ name, required, type }): SchemaElement => ({
    name,
    repetition_type: required ? "REQUIRED" : "OPTIONAL",
    ...physicalType(type),
  }));
  return [{ name: "table", num_children: leaves.length }, ...elements];
}

function footerStatistics({ nulls, min, max }: ColumnStatistics): Statistics {
  const counts = { null_count: BigInt(nulls) };
  return min === null || max === null ? counts : { ...counts, min_value: min, max_value: max };
}

function batchBytes(batch: ColumnBatch): number {
  let bytes = 0;
  for (const column of batch.columns) {
    bytes += column.values.byteLength + (column.validity?.byteLength ?? 0);
    if (column.layout === "bytes") bytes += column.offsets.byteLength;
  }
  return bytes;
}
