import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import type { ColumnChunk, ColumnMetaData, Statistics } from "hyparquet";
import { FrazilError, must } from "../errors.ts";
import type { OutputStream } from "../io/file-io.ts";
import { isPrimitive } from "../schema/type-json.ts";
import type { AnyBatch } from "../values/cell.ts";
import { type ColumnStatistics, combine, measure } from "./bounds.ts";
import { type LeafRange, writeChunk } from "./chunk-writer.ts";
import type { DataFileWriter, DataFileWriterOptions, EncodedFile } from "./data-file-writer.ts";
import { fileMetrics } from "./metrics.ts";
import { metricsModes } from "./metrics-modes.ts";
import { type FileField, fileLayout, type FileLayout, type LeafField } from "./schema-elements.ts";
import { createShredder, type LeafRows, type Shredder } from "./shredder.ts";

const DEFAULT_ROW_GROUP_BYTES = 32 << 20;

/** Compressed to uncompressed size before the first row group is written. */
const FIRST_RATIO = 0.4;

/**
 * Writes a Parquet data file with hyparquet-writer, one row group at a time, so that memory is bounded by the rows of one group and
 * their encoded form. Flat columns are kept, not copied, until their group is written; nested ones are taken apart at once.
 *
 * The library encodes physical values only (see `writeChunk`); the annotated schema and statistics of our own go into the footer.
 *
 * @throws FrazilError `unsupported` for structs without columns
 */
export function openDataFileWriter(options: DataFileWriterOptions): DataFileWriter {
  return new HyparquetEncoder(options);
}

/** A top-level field and, where it is nested, what takes its values apart. */
type OpenField = FileField & { readonly shredder: Shredder | null };

/** Rows that wait for their group: those of each leaf. */
interface HeldRows {
  readonly leaves: readonly LeafRows[];
  readonly start: number;
  readonly end: number;
}

class HyparquetEncoder implements DataFileWriter {
  recordCount = 0;

  private readonly output: OutputStream;
  private readonly layout: FileLayout;
  private readonly fields: readonly OpenField[];
  private readonly leaves: readonly LeafField[];
  private readonly modeOf: ReturnType<typeof metricsModes>;
  private readonly fieldCount: number;
  private readonly rowGroupSizeBytes: number;
  private readonly breathe: (() => Promise<void>) | null;
  private readonly bytes = new ByteWriter();
  private readonly parquet: ParquetWriter;
  /** Rows of the open row group. */
  private held: HeldRows[] = [];
  private bufferedBytes = 0;
  private writtenBytes = 0;
  private encodedBytes = 0;
  private readonly splitOffsets: bigint[] = [];
  private readonly statistics: (ColumnStatistics | null)[];
  private readonly columnSizes: number[];

  constructor(options: DataFileWriterOptions) {
    const { schema, output, properties, rowGroupSizeBytes = DEFAULT_ROW_GROUP_BYTES, breathe } = options;
    this.output = output;
    this.breathe = breathe ?? null;
    this.layout = fileLayout(schema);
    this.fields = this.layout.fields.map((field) => ({
      ...field,
      shredder: isPrimitive(field.field.type) ? null : createShredder(field.field),
    }));
    this.leaves = this.fields.flatMap(({ leaves }) => leaves);
    this.modeOf = metricsModes(schema, properties);
    this.fieldCount = schema.fields.length;
    this.rowGroupSizeBytes = rowGroupSizeBytes;
    this.statistics = this.leaves.map(() => null);
    this.columnSizes = this.leaves.map(() => 0);
    this.parquet = new ParquetWriter({ writer: this.bytes, schema: this.layout.elements, createdBy: "frazil" });
  }

  get estimatedBytes(): number {
    const ratio = this.encodedBytes === 0 ? FIRST_RATIO : this.writtenBytes / this.encodedBytes;
    return this.writtenBytes + Math.ceil(this.bufferedBytes * ratio);
  }

  async write(batch: AnyBatch): Promise<void> {
    if (batch.columns.length !== this.fieldCount) {
      throw wrongBatch(`a batch of ${this.fieldCount} columns`, String(batch.columns.length));
    }
    const leaves = this.fields.flatMap((field) => leafRows(field, batch));
    this.recordCount += batch.length;
    const bytesPerRow = batch.length === 0 ? 0 : bytesOf(leaves) / batch.length;
    for (let start = 0; start < batch.length;) {
      const room = Math.ceil((this.rowGroupSizeBytes - this.bufferedBytes) / bytesPerRow);
      const end = Math.min(batch.length, start + Math.max(1, room));
      this.held.push({ leaves, start, end });
      this.bufferedBytes += (end - start) * bytesPerRow;
      start = end;
      if (this.bufferedBytes >= this.rowGroupSizeBytes) await this.writeRowGroup();
    }
  }

  async finish(): Promise<EncodedFile> {
    if (this.held.length > 0) await this.writeRowGroup();
    await this.parquet.finish();
    await this.flush();
    const { sizeBytes } = await this.output.close();
    return {
      recordCount: BigInt(this.recordCount),
      fileSizeBytes: BigInt(sizeBytes),
      splitOffsets: this.splitOffsets.length === 0 ? null : this.splitOffsets,
      ...fileMetrics(
        this.leaves.map(({ id, type, repetition }, place) => ({
          id,
          type,
          mode: this.modeOf(id, place),
          isRepeated: repetition > 0,
          sizeBytes: this.columnSizes[place] as number,
          statistics: this.statistics[place] ?? measure([]),
        })),
      ),
    };
  }

  async abort(): Promise<void> {
    this.held = [];
    await this.output.abort();
  }

  private async writeRowGroup(): Promise<void> {
    const held = this.held;
    this.held = [];
    const start = this.bytes.offset;
    this.splitOffsets.push(BigInt(start));
    const groupStatistics: ColumnStatistics[] = [];
    const columns: ColumnChunk[] = [];
    // Column by column, so that one alone is held in both forms, and others may have their turn in between.
    for (const [place, leaf] of this.leaves.entries()) {
      const ranges = held.map((rows) => leafRange(rows, place));
      const measured = measure(ranges);
      groupStatistics.push(leaf.isBounded ? measured : { ...measured, min: null, max: null });
      const written = writeChunk(this.bytes, leaf, ranges);
      columns.push(written.chunk);
      this.parquet.pendingIndexes.push(written);
      await this.breathe?.();
    }
    const rows = BigInt(held.reduce((sum, range) => sum + range.end - range.start, 0));
    this.parquet.row_groups.push({
      columns,
      total_byte_size: columns.reduce((sum, { meta_data }) => sum + (meta_data?.total_uncompressed_size ?? 0n), 0n),
      num_rows: rows,
      total_compressed_size: BigInt(this.bytes.offset - start),
    });
    this.parquet.num_rows += rows;
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

/** The rows of a batch's field, leaf by leaf. */
function leafRows({ index, field, leaves, shredder }: OpenField, batch: AnyBatch): readonly LeafRows[] {
  const column = must(batch.columns[index], "the number of columns was checked");
  if (column.length !== batch.length) {
    throw wrongBatch(`${batch.length} rows in column ${field.name}`, String(column.length));
  }
  if (shredder !== null) {
    if (column.layout !== "cells") throw wrongBatch(`values row by row in column ${field.name}`, column.layout);
    return shredder.shred(column.values);
  }
  if (column.layout === "cells") throw wrongBatch(`a flat column ${field.name}`, "values row by row");
  if (field.required && column.nullCount > 0) {
    const message = `column ${field.name} is required, found ${column.nullCount} nulls in it`;
    throw new FrazilError("data", "NULL_IN_REQUIRED", message);
  }
  return leaves.map(() => ({ column, definitions: null, repetitions: null, starts: null }));
}

function leafRange({ leaves, start, end }: HeldRows, place: number): LeafRange {
  const { column, definitions, repetitions, starts } = must(leaves[place], "a batch has all leaves");
  const entryOf = (row: number): number => starts?.[row] ?? row;
  return { column, start: entryOf(start), end: entryOf(end), levels: { definitions, repetitions } };
}

function wrongBatch(expected: string, found: string): FrazilError {
  return new FrazilError("internal", "WRONG_BATCH", `expected ${expected}, found ${found}`);
}

function footerStatistics({ nulls, min, max }: ColumnStatistics): Statistics {
  const counts = { null_count: BigInt(nulls) };
  return min === null || max === null ? counts : { ...counts, min_value: min, max_value: max };
}

function bytesOf(leaves: readonly LeafRows[]): number {
  let bytes = 0;
  for (const { column, definitions, repetitions } of leaves) {
    bytes += column.values.byteLength + (column.validity?.byteLength ?? 0);
    if (column.layout === "bytes") bytes += column.offsets.byteLength;
    // Levels take a few bits each in the file.
    bytes += ((definitions?.length ?? 0) + (repetitions?.length ?? 0)) / 2;
  }
  return bytes;
}
