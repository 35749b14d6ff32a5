import type { ColumnMetaData, RowGroup } from "hyparquet";
import { gatherColumn } from "../arrow/gather.ts";
import type { Column, ColumnBatch } from "../arrow/column.ts";
import { FrazilError, must } from "../errors.ts";
import type { FileIO } from "../io/file-io.ts";
import { readAgain, type Reads } from "../io/read-again.ts";
import { MAX_PARQUET_GROUP_ROWS } from "../limits.ts";
import type { Value } from "../manifest/data-file.ts";
import { fieldById } from "../schema/schema.ts";
import type { NameMapping } from "../schema/name-mapping.ts";
import { isPrimitive, typeText } from "../schema/type-json.ts";
import type { NestedField, PrimitiveType, Schema } from "../schema/types.ts";
import type { AnyBatch, AnyColumn } from "../values/cell.ts";
import { defaultCell } from "../values/default-cell.ts";
import { readChunk } from "./chunk-reader.ts";
import { constantColumn, defaultColumn } from "./default-value.ts";
import type { FileLeaf, FileNode } from "./file-columns.ts";
import { type DataFileFooter, type DataFileRef, encrypted, readFooter } from "./footer.ts";
import type { LeafEntries } from "./leaf-entries.ts";
import { assembleRows, type NestedPlan, planNested } from "./nested-reader.ts";

/** Chunks that lie so near are read in one request: on an object store a request costs as much as so many bytes. */
const MAX_GAP_BYTES = 512 << 10;

/** What a table says of its data files' columns, beside its schema. */
export interface ColumnSources {
  /** For files without field ids. */
  readonly mapping: NameMapping | null;
  /** Values of columns that a file may lack because its partition says them, by field id (spec, "Column Projection"). */
  readonly constants: ReadonlyMap<number, Value | null>;
}

/** A file that says everything itself. */
export const NO_SOURCES: ColumnSources = { mapping: null, constants: new Map() };

/**
 * Reads columns of a data file, row group by row group, in file order: row numbers of the batches add up to positions. Only the
 * chunks asked for are read. Columns are found by field id and have the type that `schema` gives them now; a column that the file
 * lacks has its `initial-default`, or is null.
 *
 * @param fieldIds top-level fields of primitive types; the batch's columns stand in this order
 * @param breathe awaited after each column of a group, so that others may have their turn
 * @throws FrazilError `not-found`, `corrupt`, `unsupported`
 */
export async function* readDataFile(
  io: FileIO,
  file: DataFileRef,
  schema: Schema,
  fieldIds: readonly number[],
  breathe?: () => Promise<void>,
): AsyncGenerator<ColumnBatch> {
  const fields = fieldIds.map((id) => flatField(schema, id));
  for await (const batch of readParquetColumns(io, file, fields, NO_SOURCES, breathe)) yield batch as ColumnBatch;
}

/**
 * Reads columns of a Parquet file of any type, row group by row group, in file order.
 *
 * @param fields as the table has them now; the batch's columns stand in this order
 * @param breathe as of `readDataFile`
 * @param choose looks at the footer and says which row groups are read; by default all
 * @param later columns that `more` of a batch reads
 * @throws FrazilError `not-found`, `corrupt`, `unsupported`
 */
export async function* readParquetColumns(
  io: FileIO,
  file: DataFileRef,
  fields: readonly NestedField[],
  sources: ColumnSources,
  breathe?: () => Promise<void>,
  choose?: (footer: DataFileFooter) => RowGroupChoice,
  later: readonly NestedField[] = [],
): AsyncGenerator<PlacedBatch> {
  const source = { io, file, sources };
  const now = await planFile(source, fields);
  const laterNow = { ...now, columns: planColumns(source, now.footer, later), fields: later };
  const isChosen = choose?.(now.footer);
  let start = 0;
  for (const place of now.footer.metadata.row_groups.keys()) {
    const rows = rowsIn(file, now, place);
    if (isChosen?.(place, rows) !== false) {
      const more: PlacedBatch["more"] = async (wanted) =>
        (await readPlaced(source, laterNow, place, breathe, wanted.length === rows ? null : wanted)).columns;
      yield { start, more, ...(await readPlaced(source, now, place, breathe)) };
    }
    start += rowsIn(file, now, place);
  }
}

/** A file that is read, and what its table says of it. */
interface Source {
  readonly io: Reads;
  readonly file: DataFileRef;
  readonly sources: ColumnSources;
}

/** What a file says of some columns. */
interface FilePlan {
  readonly fields: readonly NestedField[];
  footer: DataFileFooter;
  columns: readonly PlannedColumn[];
}

async function planFile(source: Source, fields: readonly NestedField[]): Promise<FilePlan> {
  checkFormat(source.file);
  const footer = await readFooter(source.io, source.file, source.sources.mapping);
  return { fields, footer, columns: planColumns(source, footer, fields) };
}

function planColumns(source: Source, footer: DataFileFooter, fields: readonly NestedField[]): PlannedColumn[] {
  return fields.map((field) => planColumn(source.file, footer, field, source.sources));
}

function rowsIn(file: DataFileRef, { footer }: FilePlan, place: number): number {
  return rowsOf(file, must(footer.metadata.row_groups[place], "a row group of the footer"));
}

/** Reads a row group. Where it is broken the footer, which may be what has changed on its way, is read again, too, and `plan` is of that. */
function readPlaced(
  source: Source,
  plan: FilePlan,
  place: number,
  breathe?: () => Promise<void>,
  wanted: Uint32Array | null = null,
): Promise<AnyBatch> {
  return readAgain(source.io, async (io, attempt) => {
    if (attempt > 1) Object.assign(plan, await planFile({ ...source, io }, plan.fields));
    const group = plan.footer.metadata.row_groups[place];
    if (group === undefined) throw lacksGroup(source.file, place);
    return readGroup(rangesOf(io, plan.footer), source.file, group, plan.columns, breathe, wanted);
  });
}

/** Gives ranges of a file; of one that has been read whole without asking for it again. */
function rangesOf(io: Reads, { file }: DataFileFooter): Pick<Reads, "readRange"> {
  if (file === null) return io;
  return { readRange: async (_, offset, length) => file.subarray(offset, offset + length) };
}

function lacksGroup({ filePath }: DataFileRef, place: number): FrazilError {
  return new FrazilError("corrupt", "ROW_GROUP", `${filePath}: expected a row group ${place}, found none`);
}

/** Whether a row group of a file, by its place and its number of rows, is read. */
export type RowGroupChoice = (place: number, rows: number) => boolean;

/** Rows of a file. */
export interface PlacedBatch extends AnyBatch {
  /** Position of the first in the file. */
  readonly start: number;
  /** The later columns of some rows of the batch, which are given ascending; what lies between them is decoded as little as can be. */
  more(rows: Uint32Array): Promise<readonly AnyColumn[]>;
}

/**
 * Reads the rows at `positions` (ascending, counted from 0 over the file) as one batch; row groups without any are not read.
 *
 * @throws FrazilError as `readDataFile`; `corrupt` when the file ends before a position
 */
export async function readDataFileRows(
  io: FileIO,
  file: DataFileRef,
  schema: Schema,
  fieldIds: readonly number[],
  positions: Uint32Array,
): Promise<ColumnBatch> {
  const fields = fieldIds.map((id) => flatField(schema, id));
  const source = { io, file, sources: NO_SOURCES };
  const plan = await planFile(source, fields);
  const groups: ColumnBatch[] = [];
  const groupOf = new Uint32Array(positions.length);
  const rowOf = new Uint32Array(positions.length);
  let next = 0;
  let start = 0;
  for (const place of plan.footer.metadata.row_groups.keys()) {
    const end = start + rowsIn(file, plan, place);
    const first = next;
    for (; next < positions.length && (positions[next] as number) < end; next++) {
      groupOf[next] = groups.length;
      rowOf[next] = (positions[next] as number) - start;
    }
    if (next > first) groups.push((await readPlaced(source, plan, place)) as ColumnBatch);
    start = end;
  }
  if (next < positions.length) {
    throw new FrazilError(
      "corrupt",
      "POSITION_OUT_OF_FILE",
      `${file.filePath}: expected a row at position ${positions[next]}, found ${start} rows`,
    );
  }
  const columns = fields.map(({ type }, k) =>
    gatherColumn(
      type as PrimitiveType,
      groups.map((group) => group.columns[k] as Column),
      groupOf,
      rowOf,
    ),
  );
  return { length: positions.length, columns };
}

/** A top-level field of a type that columns in Arrow layout hold. */
function flatField(schema: Schema, id: number): NestedField {
  const field = must(fieldById(schema, id), `the schema has a field ${id}`);
  if (isPrimitive(field.type)) return field;
  const message = `columns of primitive types are read, found ${field.name} of type ${typeText(field.type)}`;
  throw new FrazilError("unsupported", "UNSUPPORTED_COLUMN", message);
}

/** @throws FrazilError `unsupported` for files that are not Parquet, and for encrypted ones */
function checkFormat({ filePath, fileFormat = "PARQUET", keyMetadata = null }: DataFileRef): void {
  if (keyMetadata !== null) throw encrypted(filePath);
  if (fileFormat !== "PARQUET") {
    throw new FrazilError("unsupported", "FILE_FORMAT", `${filePath}: expected a Parquet file, found ${fileFormat}`);
  }
}

/** Where the values of a field come from. */
type PlannedColumn =
  | { readonly from: "leaf"; readonly leaf: FileLeaf; readonly type: PrimitiveType }
  | { readonly from: "nested"; readonly field: NestedField; readonly plan: NestedPlan }
  | { readonly from: "constant"; readonly column: (rows: number) => AnyColumn };

function planColumn(
  file: DataFileRef,
  footer: DataFileFooter,
  field: NestedField,
  sources: ColumnSources,
): PlannedColumn {
  const { type } = field;
  // A file written while the column's type was unknown may hold anything, but only nulls.
  const found = type.kind === "unknown" ? undefined : footer.columns.get(field.id);
  if (found === undefined) return { from: "constant", column: missingColumn(file, field, sources) };
  if (!isPrimitive(type)) return { from: "nested", field, plan: inFile(file, () => planNested(field, found)) };
  if (found.kind !== "leaf" || found.repetition > 0) throw wrongShape(file, field, found);
  return { from: "leaf", leaf: found, type };
}

function wrongShape(file: DataFileRef, { name, type }: NestedField, found: FileNode): FrazilError {
  const shape = found.kind === "leaf" ? "a repeated column" : `a ${found.kind}`;
  return new FrazilError(
    "corrupt",
    "WRONG_COLUMN_TYPE",
    `${file.filePath}: column ${name}: expected ${typeText(type)}, found ${shape} in the data file`,
  );
}

async function readGroup(
  io: Pick<Reads, "readRange">,
  file: DataFileRef,
  group: RowGroup,
  columns: readonly PlannedColumn[],
  breathe?: () => Promise<void>,
  wanted: Uint32Array | null = null,
): Promise<AnyBatch> {
  const rows = rowsOf(file, group);
  const length = wanted?.length ?? rows;
  const chunksOf = columns.map((column) => {
    if (column.from === "constant") return [];
    const leaves = column.from === "leaf" ? [column] : column.plan.leaves;
    return leaves.map(({ leaf, type }) => chunkOf(file, group, leaf, type));
  });
  const chunks = chunksOf.flat();
  const bytes = await readRanges(io, file.filePath, chunks);
  const read = (chunk: Chunk, entries: Uint32Array | null): LeafEntries =>
    inFile(file, () =>
      readChunk(
        chunk.type,
        chunk.leaf,
        chunk.metadata,
        bytes[chunks.indexOf(chunk)] as Uint8Array,
        entriesOf(chunk, rows),
        entries,
      ),
    );
  const valuesOf = (column: PlannedColumn, parts: readonly Chunk[]): AnyColumn => {
    switch (column.from) {
      case "constant":
        return column.column(length);
      case "leaf":
        return read(parts[0] as Chunk, wanted).column;
      case "nested": {
        const leaves = parts.map((part) => read(part, null));
        const all = inFile(file, () => assembleRows(column.plan, leaves, rows));
        const values = wanted === null ? all : Array.from(wanted, (row) => all[row] ?? null);
        return { layout: "cells", type: column.field.type, length, values };
      }
    }
  };
  const out: AnyColumn[] = [];
  for (const [k, column] of columns.entries()) {
    out.push(valuesOf(column, chunksOf[k] as Chunk[]));
    await breathe?.();
  }
  return { length, columns: out };
}

function rowsOf(file: DataFileRef, group: RowGroup): number {
  const rows = Number(group.num_rows);
  if (rows >= 0 && rows <= MAX_PARQUET_GROUP_ROWS) return rows;
  const message = `${file.filePath}: expected a row group of at most ${MAX_PARQUET_GROUP_ROWS} rows, found ${rows}`;
  throw new FrazilError("corrupt", "ROW_GROUP", message);
}

/** Entries of a chunk: rows, unless a list makes them more. */
function entriesOf({ leaf, metadata }: Chunk, rows: number): number {
  if (leaf.repetition === 0) return rows;
  const entries = Number(metadata.num_values);
  if (entries >= rows && entries <= MAX_PARQUET_GROUP_ROWS) return entries;
  const most = `${rows} to ${MAX_PARQUET_GROUP_ROWS}`;
  throw new FrazilError("corrupt", "ROW_GROUP", `column ${leaf.name}: expected ${most} entries, found ${entries}`);
}

/** Runs, and lets an error name the file. */
function inFile<T>({ filePath }: DataFileRef, run: () => T): T {
  try {
    return run();
  } catch (error) {
    // What a file demands may be more than an array can hold.
    if (error instanceof RangeError) {
      throw new FrazilError("corrupt", "TOO_LARGE", `${filePath}: ${error.message}`, { cause: error });
    }
    if (!(error instanceof FrazilError) || error.message.startsWith(filePath)) throw error;
    throw new FrazilError(error.kind, error.code, `${filePath}: ${error.message}`, { hint: error.hint, cause: error });
  }
}

function missingColumn(file: DataFileRef, field: NestedField, sources: ColumnSources): (rows: number) => AnyColumn {
  const { type, initialDefault, required } = field;
  const hasDefault = initialDefault !== undefined && initialDefault !== null;
  if (!isPrimitive(type)) {
    if (required && !hasDefault) throw missing(file, field);
    const value = inFile(file, () => defaultCell(field, "initialDefault"));
    return (rows) => ({ layout: "cells", type, length: rows, values: new Array<typeof value>(rows).fill(value) });
  }
  const constant = sources.constants.get(field.id);
  if (constant !== undefined) return (rows) => constantColumn(type, constant, rows);
  if (required && !hasDefault && type.kind !== "unknown") throw missing(file, field);
  return (rows) => defaultColumn(type, initialDefault, rows);
}

function missing(file: DataFileRef, field: NestedField): FrazilError {
  return new FrazilError(
    "corrupt",
    "MISSING_COLUMN",
    `${file.filePath}: expected column ${field.name} (id ${field.id}), which is required and has no default, found none`,
  );
}

interface Chunk {
  readonly leaf: FileLeaf;
  readonly type: PrimitiveType;
  readonly metadata: ColumnMetaData;
  readonly start: number;
  readonly end: number;
}

function chunkOf(file: DataFileRef, group: RowGroup, leaf: FileLeaf, type: PrimitiveType): Chunk {
  const column = group.columns[leaf.place];
  const metadata = column?.meta_data;
  if (column?.crypto_metadata !== undefined) throw encrypted(file.filePath);
  if (metadata === undefined || (column?.file_path ?? "") !== "") {
    throw new FrazilError("corrupt", "MISSING_CHUNK", `${file.filePath}: a row group lacks ${leaf.name}`);
  }
  const { data_page_offset: data, dictionary_page_offset: dictionary } = metadata;
  // Some writers put 0 where there is no dictionary.
  const start = Number(dictionary !== undefined && dictionary > 0n && dictionary < data ? dictionary : data);
  const end = start + Number(metadata.total_compressed_size);
  if (metadata.type !== leaf.element.type || !(start >= 0 && end >= start && end <= Number(file.fileSizeBytes))) {
    const found = `${metadata.type} at bytes ${start} to ${end}`;
    const expected = `a chunk of ${leaf.element.type} within ${Number(file.fileSizeBytes)} bytes`;
    const message = `${file.filePath}: column ${leaf.name}: expected ${expected}, found ${found}`;
    throw new FrazilError("corrupt", "COLUMN_CHUNK", message);
  }
  return { leaf, type, metadata, start, end };
}

/** The bytes of each chunk; neighbours are read together. */
async function readRanges(
  io: Pick<Reads, "readRange">,
  location: string,
  chunks: readonly Chunk[],
): Promise<Uint8Array[]> {
  const order = [...chunks.keys()];
  const startOf = (k: number): number => (chunks[k] as Chunk).start;
  order.sort((a, b) => startOf(a) - startOf(b));
  const runs: { start: number; end: number; members: number[] }[] = [];
  for (const k of order) {
    const { start, end } = chunks[k] as Chunk;
    const run = runs.at(-1);
    if (run !== undefined && start - run.end <= MAX_GAP_BYTES) {
      run.end = Math.max(run.end, end);
      run.members.push(k);
    } else {
      runs.push({ start, end, members: [k] });
    }
  }
  const out = new Array<Uint8Array>(chunks.length);
  await Promise.all(
    runs.map(async ({ start, end, members }) => {
      const bytes = await io.readRange(location, start, end - start);
      for (const k of members) out[k] = bytes.subarray(startOf(k) - start, (chunks[k] as Chunk).end - start);
    }),
  );
  return out;
}
