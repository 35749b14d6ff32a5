import {
  currentSchema,
  type Column,
  type DataFile,
  type DataFileWriterOptions,
  gatherColumn,
  isPrimitive,
  type LoadedTable,
  type NestedColumn,
  type NestedField,
  openDataFileWriter,
  parquetDataFile,
  type PartitionSpec,
  partitionPath,
  type PrimitiveType,
  type Schema,
  sortRows,
  tupleKey,
  tupleReader,
  typeText,
  type Value,
  widenColumn,
} from "../../table-format/index.ts";
import type { CommitContext } from "../commit/context.ts";
import type { FileNames } from "../commit/names.ts";
import { FrazilError, must } from "../core/errors.ts";
import type { BufferedBatch } from "./changes/buffered-changes.ts";
import { type RowSort, rowSort } from "./sort-rows.ts";

/** Where the values of one column of the rows to be written stand. */
export interface ColumnPlan {
  readonly sources: readonly (Column | null)[];
  readonly sourceOf: Uint32Array;
  readonly rows: Uint32Array;
}

/** 0, 1, 2 …: `Uint32Array.from` would make a list of objects first. */
export function ascending(count: number): Uint32Array<ArrayBuffer> {
  const numbers = new Uint32Array(count);
  for (let i = 0; i < count; i++) numbers[i] = i;
  return numbers;
}

export interface WrittenDataFile {
  readonly file: DataFile;
  /** For each row of the file, in order, its number among the rows to be written. */
  readonly members: Uint32Array;
}

/** Rows that are gathered and encoded at a time: enough for a long run in each column, little enough to stay in the caches' reach. */
const ROWS_A_BATCH = 32_768;

type FileContext = Pick<CommitContext, "io" | "runtime" | "rowGroupBytes">;

/** Writes the rows into one Parquet file a partition. The files are durable when this resolves and belong to nothing yet. */
export async function writeDataFiles(
  { io, runtime, rowGroupBytes }: FileContext,
  table: LoadedTable,
  names: FileNames,
  count: number,
  planOf: (field: NestedField) => ColumnPlan,
): Promise<WrittenDataFile[]> {
  if (count === 0) return [];
  const schema = currentSchema(table.metadata);
  const rowGroups = rowGroupBytes === undefined ? {} : { rowGroupSizeBytes: rowGroupBytes };
  const { metadata } = table;
  const spec = must(
    metadata.partitionSpecs.find((candidate) => candidate.specId === metadata.defaultSpecId),
    "the default partition spec is among the table's specs",
  );
  const plans = schema.fields.map((field) => ({ field, plan: planOf(field) }));
  const all = ascending(count);
  const planFor = (field: NestedField) => must(plans[schema.fields.indexOf(field)], "a plan a field").plan;
  const sort = rowSort(metadata, schema, (field) => gather(field, planFor(field), all));
  const written: WrittenDataFile[] = [];
  for (const { tuple, members } of partitions(schema, spec, plans, all, sort)) {
    const location = names.dataFile(partitionPath(spec, schema, tuple));
    const output = await io.openWrite(location);
    const encoded = await encodeFile({ schema, output, ...rowGroups }, plans, members);
    runtime.step("put.data");
    written.push({
      members,
      file: parquetDataFile(encoded, {
        filePath: location,
        specId: spec.specId,
        partition: tuple,
        sortOrderId: sort?.sortOrderId ?? null,
      }),
    });
  }
  return written;
}

interface FieldPlan {
  readonly field: NestedField;
  readonly plan: ColumnPlan;
}

interface Partition {
  readonly tuple: readonly (Value | null)[];
  readonly members: Uint32Array;
}

/** Splits the rows by partition tuple, each part in the table's order; without one, and among equals, as they stand. */
function partitions(
  schema: Schema,
  spec: PartitionSpec,
  plans: readonly FieldPlan[],
  all: Uint32Array,
  sort: RowSort | null,
): readonly Partition[] {
  const sorted = sort === null ? all : sortRows(all, sort.compare);
  if (spec.fields.length === 0) return [{ tuple: [], members: sorted }];
  const needed = new Set(spec.fields.map((field) => field.sourceId));
  const columns: Column[] = [];
  for (const [index, { field, plan }] of plans.entries()) {
    if (needed.has(field.id)) columns[index] = gather(field, plan, all);
  }
  const read = tupleReader(spec, schema);
  const groups = new Map<string, { tuple: readonly (Value | null)[]; members: number[] }>();
  for (const row of sorted) {
    const tuple = read(columns, row);
    const key = tupleKey(tuple);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { tuple, members: [row] });
    else group.members.push(row);
  }
  return [...groups.values()].map(({ tuple, members }) => ({ tuple, members: Uint32Array.from(members) }));
}

async function encodeFile(options: DataFileWriterOptions, plans: readonly FieldPlan[], members: Uint32Array) {
  const writer = openDataFileWriter(options);
  try {
    for (let start = 0; start < members.length; start += ROWS_A_BATCH) {
      const chunk = members.subarray(start, start + ROWS_A_BATCH);
      const columns = plans.map(({ field, plan }) =>
        isPrimitive(field.type) ? requireValues(field, gather(field, plan, chunk)) : noValues(field, chunk.length),
      );
      await writer.write({ length: chunk.length, columns });
    }
    return await writer.finish();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

function gather(field: NestedField, plan: ColumnPlan, members: Uint32Array): Column {
  const sourceOf = new Uint32Array(members.length);
  const rows = new Uint32Array(members.length);
  for (let i = 0; i < members.length; i++) {
    const member = members[i] as number;
    sourceOf[i] = plan.sourceOf[member] as number;
    rows[i] = plan.rows[member] as number;
  }
  return gatherColumn(primitive(field), plan.sources, sourceOf, rows);
}

function requireValues(field: NestedField, column: Column): Column {
  if (!field.required || column.nullCount === 0) return column;
  throw nullInRequired(field, column.nullCount);
}

function nullInRequired(field: NestedField, count: number): FrazilError {
  return new FrazilError(
    "data",
    "NULL_IN_REQUIRED",
    `column ${field.name} is required in the table, but ${count} changes have no value for it`,
    { hint: "make the column optional in the table, or fix the source" },
  );
}

/** A column of structs, lists, maps or variants, which other engines have added to the table: changes have none. */
function noValues(field: NestedField, length: number): NestedColumn {
  if (field.required) throw nullInRequired(field, length);
  return { layout: "cells", type: field.type, length, values: Array<null>(length).fill(null) };
}

/** @throws FrazilError `unsupported`, code `NESTED_COLUMN`, for a table with columns whose values updates would lose. */
export function refuseNested(schema: Schema): void {
  for (const field of schema.fields) primitive(field);
}

/** The column of each batch that holds a field's values, widened once; null where a batch lacks it, as all do of structs, lists, maps and variants. */
export function fieldSources({ name, type }: NestedField, batches: readonly BufferedBatch[]): (Column | null)[] {
  return batches.map(({ batch }) => {
    const index = batch.fields.findIndex((candidate) => candidate.name === name);
    if (index < 0 || !isPrimitive(type)) return null;
    return widenColumn(must(batch.columns[index], "a column a field"), type);
  });
}

function primitive(field: NestedField): PrimitiveType {
  if (isPrimitive(field.type)) return field.type;
  throw new FrazilError(
    "unsupported",
    "NESTED_COLUMN",
    `column ${field.name} has type ${typeText(field.type)}; a table with structs, lists, maps and variants takes new rows only`,
    { hint: "write to a table without it, or with mode: append or history" },
  );
}
