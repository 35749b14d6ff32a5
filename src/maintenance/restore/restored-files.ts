import {
  type AnyBatch,
  type AnyColumn,
  type Column,
  currentSchema,
  type DataFile,
  gatherAny,
  gatherColumn,
  isValid,
  type LoadedTable,
  partitionPath,
  readColumns,
  readDataFileRows,
  type Schema,
  specById,
  tupleKey,
  tupleReader,
  withLineage,
} from "../../../table-format/index.ts";
import type { MaintenanceContext } from "../../commit/maintenance-commit.ts";
import type { FileNames } from "../../commit/names.ts";
import { assert, must } from "../../core/errors.ts";
import type { RestoredRow, RowPlace } from "../../core/restored-rows.ts";
import { createPacer } from "../compact/pacer.ts";
import { pickRows } from "../compact/batches.ts";
import { OutputFiles, type OutputPlace } from "../compact/output-files.ts";

/** The target size of compaction would make files that are rewritten next. */
const FILE_SIZE_BYTES = 256 << 20;
const ROW_GROUP_BYTES = 32 << 20;

/**
 * Writes rows as they were into new data files of the table's present schema and partitions. A row of which there is a version now keeps
 * that version's row id, so that readers see an update; one that was deleted is a new row. The files are durable and belong to nothing.
 */
export async function writeRestored(
  { io, runtime }: Pick<MaintenanceContext, "io" | "runtime">,
  table: LoadedTable,
  names: FileNames,
  rows: readonly RestoredRow[],
): Promise<readonly DataFile[]> {
  if (rows.length === 0) return [];
  const { metadata } = table;
  const schema = currentSchema(metadata);
  const spec = specById(metadata, metadata.defaultSpecId);
  const keepsLineage = metadata.formatVersion >= 3;
  const settings = {
    schema: keepsLineage ? withLineage(schema) : schema,
    sortOrderId: null,
    fileSizeBytes: FILE_SIZE_BYTES,
    rowGroupSizeBytes: ROW_GROUP_BYTES,
    pacer: createPacer(runtime.clock, 1),
  };
  const files = new OutputFiles(io, runtime, settings);
  const read = tupleReader(spec, schema);
  const groups = new Map<string, { readonly place: OutputPlace; readonly parts: AnyBatch[] }>();
  for (const part of byFile(rows, ({ before }) => before)) {
    const batch = await readRows(io, table, schema, part);
    const columns = keepsLineage
      ? [...batch.columns, await rowIds(io, schema, part), none(part.length)]
      : batch.columns;
    const whole = { length: batch.length, columns };
    const members = new Map<string, { readonly tuple: ReturnType<typeof read>; readonly rows: number[] }>();
    for (let row = 0; row < batch.length; row++) {
      // Its sources are columns of primitive types.
      const tuple = read(batch.columns as readonly Column[], row);
      const key = tupleKey(tuple);
      const known = members.get(key);
      if (known === undefined) members.set(key, { tuple, rows: [row] });
      else known.rows.push(row);
    }
    for (const [key, { tuple, rows: own }] of members) {
      const folder = partitionPath(spec, schema, tuple);
      let group = groups.get(key);
      if (group === undefined) {
        const place = { specId: spec.specId, partition: tuple, location: () => names.dataFile(folder) };
        group = { place, parts: [] };
        groups.set(key, group);
      }
      group.parts.push(pickRows(whole, Uint32Array.from(own)));
    }
  }
  try {
    for (const { place, parts } of groups.values()) for (const part of parts) await files.write(place, part);
    return await files.finish();
  } catch (error) {
    await files.abort();
    throw error;
  }
}

/** Rows of one file after another, as they stand. */
function byFile<T>(rows: readonly T[], placeOf: (row: T) => RowPlace): T[][] {
  const parts = Map.groupBy(rows, (row) => placeOf(row).file.filePath);
  return [...parts.values()].map((part) => part.toSorted((a, b) => placeOf(a).position - placeOf(b).position));
}

/** The rows of one file, in the present schema. */
async function readRows(
  io: MaintenanceContext["io"],
  { metadata }: LoadedTable,
  { fields }: Schema,
  rows: readonly RestoredRow[],
): Promise<AnyBatch> {
  const { file } = must(rows[0], "a file's part has rows").before;
  const positions = Uint32Array.from(rows, ({ before }) => before.position);
  const parts: (readonly AnyColumn[])[] = [];
  const sourceOf = new Uint32Array(rows.length);
  const rowOf = new Uint32Array(rows.length);
  let next = 0;
  for await (const { start, length, more } of readColumns(io, metadata, file, [], { later: fields })) {
    const first = next;
    for (; next < positions.length && (positions[next] as number) < start + length; next++) {
      sourceOf[next] = parts.length;
      rowOf[next] = next - first;
    }
    if (next > first) parts.push(await more(positions.subarray(first, next).map((position) => position - start)));
  }
  assert(next === rows.length, `${file.filePath}: expected ${rows.length} rows to restore, found ${next}`);
  const columns = fields.map(({ type }, k) =>
    gatherAny(
      type,
      parts.map((part) => must(part[k], "a column a field")),
      sourceOf,
      rowOf,
    ),
  );
  return { length: rows.length, columns };
}

/** The row ids of the present versions; null for rows that have none, or whose version is from before the table had ids. */
async function rowIds(io: MaintenanceContext["io"], schema: Schema, rows: readonly RestoredRow[]): Promise<Column> {
  const lineage = withLineage(schema);
  const rowId = must(lineage.fields.at(-2), "the row id is the last but one");
  const ids: (bigint | null)[] = Array<bigint | null>(rows.length).fill(null);
  const numbered = rows.flatMap(({ now }, row) => (now === null ? [] : [{ row, now }]));
  for (const part of byFile(numbered, ({ now }) => now)) {
    const { file } = must(part[0], "a file's part has rows").now;
    const first = file.firstRowId;
    if (first === null) continue;
    const positions = Uint32Array.from(part, ({ now }) => now.position);
    const { columns } = await readDataFileRows(io, file, lineage, [rowId.id], positions);
    const column = must(columns[0], "one column a field");
    assert(column.layout === "i64", "row ids are longs");
    for (const [index, { row, now }] of part.entries()) {
      ids[row] = isValid(column, index) ? (column.values[index] as bigint) : first + BigInt(now.position);
    }
  }
  const values = BigInt64Array.from(ids, (id) => id ?? 0n);
  const all: Column = { ...none(rows.length), nullCount: 0, validity: null, values } as Column;
  const sourceOf = Uint32Array.from(ids, (id) => (id === null ? 1 : 0));
  const rowOf = Uint32Array.from(ids, (id, row) => (id === null ? 0 : row));
  return gatherColumn({ kind: "long" }, [all, null], sourceOf, rowOf);
}

/** A column of longs without a value: the sequence number is that of the commit. */
function none(length: number): Column {
  return gatherColumn({ kind: "long" }, [null], new Uint32Array(length), new Uint32Array(length));
}
