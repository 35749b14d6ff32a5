import {
  type AnyBatch,
  type AnyColumn,
  type Column,
  currentSchema,
  type DataFile,
  explicitLineage,
  type LiveFile,
  type LoadedTable,
  partitionPath,
  readColumns,
  type RoaringBitmap,
  type Schema,
  specById,
  tupleKey,
  tupleReader,
  withLineage,
} from "../../../table-format/index.ts";
import type { MaintenanceContext } from "../../commit/maintenance-commit.ts";
import type { FileNames } from "../../commit/names.ts";
import { assert, must } from "../../core/errors.ts";
import type { Arrangement } from "./arrangement.ts";
import { pickRows, plainColumn } from "./batches.ts";
import { ExternalSort, type Scratch } from "./external-sort.ts";
import { type KeyedBatch, keysOf, numbersOf } from "./merge-runs.ts";
import { OutputFiles, type OutputPlace } from "./output-files.ts";
import type { Pacer } from "./pacer.ts";
import { keyColumn, orderKeys, type WriteKey } from "./sort-keys.ts";
import { sharedBits, zOrderKeys } from "./z-order.ts";

/** A data file and its deleted rows as a rewrite reads them. */
export interface RewriteInput {
  readonly live: LiveFile;
  readonly deleted: RoaringBitmap;
}

/** Files of one partition that are rewritten together. */
export interface RewriteJob {
  readonly table: LoadedTable;
  readonly names: FileNames;
  readonly inputs: readonly RewriteInput[];
  readonly arrangement: Arrangement;
  readonly sortOrderId: number | null;
  readonly fileSizeBytes: number;
  readonly memoryBytes: number;
  readonly scratch: Scratch;
  readonly pacer: Pacer;
}

export interface Rewritten {
  readonly outputs: readonly DataFile[];
  /**
   * For each live row of the inputs, laid end to end in their order, its number among the rows of the outputs laid end to end. Null: the
   * same number, the rows stand as they stood.
   */
  readonly permutation: Uint32Array | null;
}

/** An encoder's row group at most. */
const ROW_GROUP_BYTES = 32 << 20;

/**
 * Writes the live rows of files into new ones, batch by batch. Rows of files of an older partition spec go where the table's present spec
 * puts them.
 */
export async function rewriteFiles(context: MaintenanceContext, job: RewriteJob): Promise<Rewritten> {
  const { table, inputs } = job;
  const expected = inputs.reduce((sum, { live, deleted }) => sum + rowsOf(live) - deleted.cardinality, 0);
  if (expected === 0) return { outputs: [], permutation: null };
  const { metadata } = table;
  const files = new OutputFiles(context.io, context.runtime, {
    schema: fileSchema(table),
    sortOrderId: job.sortOrderId,
    fileSizeBytes: job.fileSizeBytes,
    rowGroupSizeBytes: Math.min(ROW_GROUP_BYTES, Math.max(1 << 16, Math.floor(job.memoryBytes / 8))),
    pacer: job.pacer,
  });
  const moves = inputs.some(({ live }) => live.file.specId !== metadata.defaultSpecId);
  try {
    const permutation =
      moves || job.arrangement.kind !== "keep"
        ? await writeSorted(context, job, files, moves, expected)
        : await writeInOrder(context, job, files);
    const outputs = await files.finish();
    const written = outputs.reduce((sum, { recordCount }) => sum + Number(recordCount), 0);
    assert(written === expected, `a rewrite of ${inputs.length} files: expected ${expected} rows, found ${written}`);
    return { outputs, permutation };
  } catch (error) {
    await files.abort();
    throw error;
  }
}

async function writeInOrder(context: MaintenanceContext, job: RewriteJob, files: OutputFiles): Promise<null> {
  const place = placeOfInputs(job);
  for await (const batch of liveBatches(context, job)) await files.write(place, batch);
  return null;
}

async function writeSorted(
  context: MaintenanceContext,
  job: RewriteJob,
  files: OutputFiles,
  moves: boolean,
  rows: number,
): Promise<Uint32Array> {
  const schema = fileSchema(job.table);
  const places = moves ? partitionPlaces(job) : null;
  const keys = keyParts(job, schema);
  const sort = new ExternalSort(job.scratch, schema, job.memoryBytes, job.pacer);
  const permutation = new Uint32Array(rows);
  try {
    let number = 0;
    for await (const batch of liveBatches(context, job)) {
      const parts = [...(places === null ? [] : [places.keyOf(batch)]), ...keys(batch)];
      const numbers = Int32Array.from({ length: batch.length }, (_, row) => number + row);
      number += batch.length;
      await sort.add({
        length: batch.length,
        columns: [...batch.columns, keyColumn(batch.length, parts), wordColumn(numbers)],
      });
    }
    let written = 0;
    const place = places === null ? placeOfInputs(job) : null;
    for await (const batch of sort.sorted()) {
      const numbers = numbersOf(batch);
      for (let row = 0; row < batch.length; row++) permutation[numbers[row] as number] = written++;
      if (place !== null) await files.write(place, withoutKeys(batch));
      for (const [to, part] of places?.split(batch) ?? []) await files.write(to, withoutKeys(part));
      await job.pacer.breathe();
    }
    return permutation;
  } finally {
    await sort.close();
  }
}

/** The live rows of the inputs, in their order, with their lineage. */
async function* liveBatches({ io }: MaintenanceContext, job: RewriteJob): AsyncGenerator<AnyBatch> {
  const { table, inputs, pacer } = job;
  const { fields } = fileSchema(table);
  const keepsLineage = table.metadata.formatVersion >= 3;
  for (const { live, deleted } of inputs) {
    let start = 0;
    for await (const batch of readColumns(io, table.metadata, live.file, fields, { breathe: () => pacer.breathe() })) {
      yield await liveRows(keepsLineage ? explicitLineage(batch, live, start) : batch, start, deleted, pacer);
      start += batch.length;
      await pacer.breathe();
    }
    assert(start === rowsOf(live), `${live.file.filePath}: expected ${rowsOf(live)} rows, found ${start}`);
  }
}

async function liveRows(batch: AnyBatch, start: number, deleted: RoaringBitmap, pacer: Pacer): Promise<AnyBatch> {
  if (deleted.cardinality === 0) return batch;
  const rows = new Uint32Array(batch.length);
  let length = 0;
  for (let row = 0; row < batch.length; row++) if (!deleted.has(start + row)) rows[length++] = row;
  const picked = rows.subarray(0, length);
  const columns: AnyColumn[] = [];
  for (const column of batch.columns) {
    columns.push(...pickRows({ length: batch.length, columns: [column] }, picked).columns);
    await pacer.breathe();
  }
  return { length, columns };
}

/** The parts of the rows' keys that arrange them. */
function keyParts(job: RewriteJob, schema: Schema): (batch: AnyBatch) => readonly WriteKey[] {
  const { arrangement } = job;
  const columnIn = (batch: AnyBatch) => (id: number) =>
    plainColumn(must(batch.columns[schema.fields.findIndex((field) => field.id === id)], `column ${id}`));
  switch (arrangement.kind) {
    case "keep":
      return () => [];
    case "sort":
      return (batch) => orderKeys(arrangement.order, columnIn(batch));
    case "z-order": {
      const files = job.inputs.map(({ live }) => live.file);
      const shared = sharedBits(schema, arrangement.fieldIds, files);
      return (batch) => zOrderKeys(shared, columnIn(batch));
    }
  }
}

/** Partitions of the table's present spec, numbered as they come up. Their number is the first part of a key: each is written at once. */
function partitionPlaces({ table: { metadata }, names }: RewriteJob) {
  const schema = currentSchema(metadata);
  const spec = specById(metadata, metadata.defaultSpecId);
  const read = tupleReader(spec, schema);
  const numbers = new Map<string, number>();
  const places: OutputPlace[] = [];
  return {
    keyOf(batch: AnyBatch): WriteKey {
      return (row, out) => {
        // Its sources are columns of primitive types.
        const partition = read(batch.columns as readonly Column[], row);
        const key = tupleKey(partition);
        let number = numbers.get(key);
        if (number === undefined) {
          number = places.length;
          numbers.set(key, number);
          const folder = partitionPath(spec, schema, partition);
          places.push({ specId: spec.specId, partition, location: () => names.dataFile(folder) });
        }
        out.word(number);
      };
    },
    *split(batch: KeyedBatch): Generator<readonly [OutputPlace, KeyedBatch]> {
      const { offsets, values } = keysOf(batch);
      const view = new DataView(values.buffer, values.byteOffset, values.byteLength);
      const numberOf = (row: number): number => view.getUint32(offsets[row] as number);
      for (let start = 0; start < batch.length;) {
        const number = numberOf(start);
        let end = start + 1;
        while (end < batch.length && numberOf(end) === number) end++;
        const from = start;
        const whole = start === 0 && end === batch.length;
        const part = whole
          ? batch
          : pickRows(
              batch,
              Uint32Array.from({ length: end - from }, (_, k) => from + k),
            );
        yield [must(places[number], "a place a number"), part];
        start = end;
      }
    },
  };
}

/** Where rows stay that stay in their partition. */
function placeOfInputs(job: RewriteJob): OutputPlace {
  const { metadata } = job.table;
  const { specId, partition } = must(job.inputs[0], "a rewrite has files").live.file;
  const folder = partitionPath(specById(metadata, specId), currentSchema(metadata), partition);
  return { specId, partition, location: () => job.names.dataFile(folder) };
}

/** The columns of the new files. */
function fileSchema({ metadata }: LoadedTable): Schema {
  const schema = currentSchema(metadata);
  return metadata.formatVersion >= 3 ? withLineage(schema) : schema;
}

function withoutKeys({ length, columns }: KeyedBatch): AnyBatch {
  return { length, columns: columns.slice(0, -2) };
}

function wordColumn(values: Int32Array): Column {
  return { type: { kind: "int" }, layout: "i32", length: values.length, nullCount: 0, validity: null, values };
}

function rowsOf({ file }: LiveFile): number {
  return Number(file.recordCount);
}
