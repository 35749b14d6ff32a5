import type { ColumnMetaData, RowGroup } from "hyparquet";
import { gatherColumn } from "../arrow/gather.ts";
import type { Column, ColumnBatch } from "../arrow/column.ts";
import { FrazilError, must } from "../errors.ts";
import type { FileIO } from "../io/file-io.ts";
import { fieldById } from "../schema/schema.ts";
import type { NestedField, PrimitiveType, Schema } from "../schema/types.ts";
import { readChunk } from "./chunk-reader.ts";
import { defaultColumn } from "./default-value.ts";
import { type DataFileFooter, type DataFileRef, type FileColumn, readFooter } from "./footer.ts";

/** Chunks that lie so near are read in one request: on an object store a request costs as much as so many bytes. */
const MAX_GAP_BYTES = 512 << 10;

/**
 * Reads columns of a data file, row group by row group, in file order: row numbers of the batches add up to positions. Only the
 * chunks asked for are read. Columns are found by field id and have the type that `schema` gives them now; a column that the file
 * lacks has its `initial-default`, or is null.
 *
 * @param fieldIds top-level fields of primitive types; the batch's columns stand in this order
 * @throws FrazilError `not-found`, `corrupt`, `unsupported`
 */
export async function* readDataFile(
  io: FileIO,
  file: DataFileRef,
  schema: Schema,
  fieldIds: readonly number[],
): AsyncGenerator<ColumnBatch> {
  const footer = await readFooter(io, file);
  const fields = fieldIds.map((id) => readableField(schema, id));
  for (const group of footer.metadata.row_groups) yield readGroup(io, file, footer, group, fields);
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
  const footer = await readFooter(io, file);
  const fields = fieldIds.map((id) => readableField(schema, id));
  const groups: ColumnBatch[] = [];
  const groupOf = new Uint32Array(positions.length);
  const rowOf = new Uint32Array(positions.length);
  let next = 0;
  let start = 0;
  for (const group of footer.metadata.row_groups) {
    const end = start + Number(group.num_rows);
    const first = next;
    for (; next < positions.length && (positions[next] as number) < end; next++) {
      groupOf[next] = groups.length;
      rowOf[next] = (positions[next] as number) - start;
    }
    if (next > first) groups.push(await readGroup(io, file, footer, group, fields));
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
      type,
      groups.map((group) => group.columns[k] as Column),
      groupOf,
      rowOf,
    ),
  );
  return { length: positions.length, columns };
}

interface ReadableField {
  readonly field: NestedField;
  readonly type: PrimitiveType;
}

function readableField(schema: Schema, id: number): ReadableField {
  const field = must(fieldById(schema, id), `the schema has a field ${id}`);
  const { type } = field;
  if (type.kind === "struct" || type.kind === "list" || type.kind === "map" || type.kind === "opaque") {
    throw unreadable(field.name, type.kind);
  }
  if (type.kind === "variant") throw unreadable(field.name, type.kind);
  return { field, type };
}

function unreadable(name: string, kind: string): FrazilError {
  return new FrazilError(
    "unsupported",
    "UNSUPPORTED_COLUMN",
    `columns of primitive types are read, found ${name} of type ${kind}`,
  );
}

async function readGroup(
  io: FileIO,
  file: DataFileRef,
  footer: DataFileFooter,
  group: RowGroup,
  fields: readonly ReadableField[],
): Promise<ColumnBatch> {
  const rows = Number(group.num_rows);
  const chunks = fields.map(({ field, type }) => {
    // A file written while the column's type was unknown may hold anything, but only nulls.
    const found = type.kind === "unknown" ? undefined : footer.columns.get(field.id);
    return found === undefined ? null : chunkOf(file, group, found);
  });
  const bytes = await readRanges(io, file.filePath, chunks);
  const columns = fields.map(({ field, type }, k): Column => {
    const chunk = chunks[k] ?? null;
    if (chunk === null) return missingColumn(file, field, type, rows);
    return readChunk(type, chunk.column.element, chunk.metadata, bytes[k] as Uint8Array, rows);
  });
  return { length: rows, columns };
}

function missingColumn(file: DataFileRef, field: NestedField, type: PrimitiveType, rows: number): Column {
  if (field.required && (field.initialDefault === undefined || field.initialDefault === null)) {
    throw new FrazilError(
      "corrupt",
      "MISSING_COLUMN",
      `${file.filePath}: expected column ${field.name} (id ${field.id}), which is required and has no default, found none`,
    );
  }
  return defaultColumn(type, field.initialDefault, rows);
}

interface Chunk {
  readonly column: FileColumn;
  readonly metadata: ColumnMetaData;
  readonly start: number;
  readonly end: number;
}

function chunkOf(file: DataFileRef, group: RowGroup, column: FileColumn): Chunk {
  const metadata = group.columns[column.place]?.meta_data;
  if (metadata === undefined) {
    throw new FrazilError("corrupt", "MISSING_CHUNK", `${file.filePath}: a row group lacks ${column.element.name}`);
  }
  const { data_page_offset: data, dictionary_page_offset: dictionary } = metadata;
  // Some writers put 0 where there is no dictionary.
  const start = Number(dictionary !== undefined && dictionary > 0n && dictionary < data ? dictionary : data);
  return { column, metadata, start, end: start + Number(metadata.total_compressed_size) };
}

/** The bytes of each chunk; neighbours are read together. */
async function readRanges(
  io: FileIO,
  location: string,
  chunks: readonly (Chunk | null)[],
): Promise<(Uint8Array | null)[]> {
  const order = [...chunks.keys()].filter((k) => chunks[k] !== null);
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
  const out = new Array<Uint8Array | null>(chunks.length).fill(null);
  await Promise.all(
    runs.map(async ({ start, end, members }) => {
      const bytes = await io.readRange(location, start, end - start);
      for (const k of members) out[k] = bytes.subarray(startOf(k) - start, (chunks[k] as Chunk).end - start);
    }),
  );
  return out;
}
