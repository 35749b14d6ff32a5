import { must } from "../errors.ts";
import type { BoundExpression } from "../expression/bound.ts";
import type { FileIO } from "../io/file-io.ts";
import { SCANNED_BYTES_AHEAD, SCANNED_FILES_AHEAD } from "../limits.ts";
import type { DataFile } from "../manifest/data-file.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import type { RoaringBitmap } from "../puffin/roaring.ts";
import type { NestedField, Schema } from "../schema/types.ts";
import type { AnyColumn } from "../values/cell.ts";
import { pickRows, readColumns } from "./data-columns.ts";
import { rowFilter } from "./row-filter.ts";

/** Rows of a part of a data file. */
export interface ScannedRows {
  readonly file: DataFile;
  /** Positions in the file, one a row, ascending. */
  readonly positions: Uint32Array;
  readonly length: number;
  /** In the order of the fields asked for. */
  readonly columns: readonly AnyColumn[];
}

/** Rows of a data file that fulfil all three. */
export interface RowsOfFile {
  readonly file: DataFile;
  /** At these positions; null: at any. */
  readonly positions: RoaringBitmap | null;
  /** By the position. */
  readonly isWanted: (position: number) => boolean;
  /** By the values. */
  readonly residual: BoundExpression;
}

/**
 * Reads rows of a data file as `readColumns` does, row group by row group; groups without any are not read, nor are those that cannot
 * fulfil the residual. Of the others the columns that it tests come first, and the rest where rows are left.
 *
 * @param schema that the residual was bound to
 * @param fields the columns of the batches stand in this order
 * @throws FrazilError as `readColumns`
 */
export async function* fileRows(
  io: FileIO,
  metadata: TableMetadata,
  { file, positions, isWanted, residual }: RowsOfFile,
  schema: Schema,
  fields: readonly NestedField[],
): AsyncGenerator<ScannedRows> {
  const filter = rowFilter(residual, schema);
  const later = fields.filter((field) => !filter.fields.includes(field));
  const reading = { filter: residual, later, ...(positions !== null && { positions }) };
  for await (const { start, length, columns: tested, more } of readColumns(
    io,
    metadata,
    file,
    filter.fields,
    reading,
  )) {
    const isTrue = filter.test(tested);
    const rows = new Uint32Array(length);
    let count = 0;
    for (let row = 0; row < length; row++) {
      const position = start + row;
      if ((positions === null || positions.has(position)) && isWanted(position) && isTrue(row)) rows[count++] = row;
    }
    if (count === 0) continue;
    const chosen = rows.subarray(0, count);
    const rest = await more(chosen);
    const columns = fields.map((field) => {
      const place = filter.fields.indexOf(field);
      if (place < 0) return must(rest[later.indexOf(field)], field.name);
      const column = must(tested[place], `column ${place}`);
      return count === length ? column : pickRows(column, chosen);
    });
    yield { file, positions: chosen.map((row) => start + row), length: count, columns };
  }
}

/**
 * Reads files one after the other, and the first batches of some ahead, so that the answers of an object store are awaited together.
 * @param bytesOf the size of a file: of large ones a single one is read at a time
 * @returns the batches of each file, in the order of the files
 */
export async function* inTurn<T, R>(
  files: AsyncIterable<T> | Iterable<T>,
  bytesOf: (file: T) => bigint,
  open: (file: T) => Promise<AsyncGenerator<R>>,
): AsyncGenerator<readonly [T, R]> {
  for await (const { file, first, batches } of openedAhead(files, bytesOf, open)) {
    if (first.done === true) continue;
    yield [file, first.value];
    for await (const batch of batches) yield [file, batch];
  }
}

/** A file whose first batch has been read. */
interface OpenedFile<T, R> {
  readonly file: T;
  readonly first: IteratorResult<R>;
  readonly batches: AsyncGenerator<R>;
}

async function* openedAhead<T, R>(
  files: AsyncIterable<T> | Iterable<T>,
  bytesOf: (file: T) => bigint,
  open: (file: T) => Promise<AsyncGenerator<R>>,
): AsyncGenerator<OpenedFile<T, R>> {
  const start = async (file: T): Promise<OpenedFile<T, R>> => {
    const batches = await open(file);
    return { file, first: await batches.next(), batches };
  };
  const underWay: { readonly size: number; readonly opened: Promise<OpenedFile<T, R>> }[] = [];
  let bytes = 0;
  for await (const file of files) {
    const size = Number(bytesOf(file));
    while (underWay.length > 0 && (underWay.length >= SCANNED_FILES_AHEAD || bytes + size > SCANNED_BYTES_AHEAD)) {
      const next = must(underWay.shift(), "a file under way");
      bytes -= next.size;
      yield await next.opened;
    }
    const opened = start(file);
    // It is awaited in its turn, or never, when the consumer goes away.
    opened.catch(() => undefined);
    underWay.push({ size, opened });
    bytes += size;
  }
  for (const { opened } of underWay) yield await opened;
}
