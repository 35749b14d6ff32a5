import {
  currentSchema,
  currentSnapshot,
  deletedPositions,
  encodePuffin,
  encodeValue,
  FrazilError,
  identText,
  isComparable,
  type LiveFile,
  type LoadedTable,
  type NestedField,
  type PrimitiveType,
  readDataFile,
  type RoaringBitmap,
  type Snapshot,
  type StatisticsFile,
  ThetaSketch,
  typeText,
  valueAt,
} from "../../../table-format/index.ts";
import type { MaintenanceContext } from "../../commit/maintenance-commit.ts";
import { maintenanceNames } from "../../commit/names.ts";
import { commitStatistics } from "../../commit/statistics-commit.ts";
import { headPlan } from "../compact/head.ts";

export interface StatisticsPlan {
  readonly table: LoadedTable;
  /** The head that is looked at. */
  readonly snapshot: Snapshot;
  /** Columns whose distinct values are counted: all of primitive types, or those asked for. */
  readonly columns: readonly PrimitiveField[];
  readonly files: readonly LiveFile[];
  readonly deletes: ReadonlyMap<string, readonly LiveFile[]>;
  /** Of the files as a whole; only the chunks of the columns are read. */
  readonly bytes: bigint;
}

export interface PrimitiveField extends NestedField {
  readonly type: PrimitiveType;
}

export interface StatisticsReport {
  readonly snapshotId: bigint;
  readonly rows: number;
  /** Estimated distinct values by column. */
  readonly distinct: ReadonlyMap<string, bigint>;
  readonly path: string;
}

const BLOB_TYPE = "apache-datasketches-theta-v1";

/**
 * What would be counted. Reads manifests alone; null for a table without a snapshot.
 * @throws FrazilError `not-found` for a column that is not there, `unsupported` for one of a nested type and for equality deletes
 */
export async function planStatistics(
  context: MaintenanceContext,
  table: LoadedTable,
  names: readonly string[] | null,
): Promise<StatisticsPlan | null> {
  const snapshot = currentSnapshot(table.metadata);
  if (snapshot === null) return null;
  const { fields } = currentSchema(table.metadata);
  const columns =
    names === null ? fields.filter(isPrimitiveField) : names.map((name) => namedColumn(table, fields, name));
  const { dataFiles, deletes } = await headPlan(context, table);
  const bytes = dataFiles.reduce((sum, { file }) => sum + file.fileSizeBytes, 0n);
  return { table, snapshot, columns, files: dataFiles, deletes, bytes };
}

/**
 * Counts the distinct values of each column with a theta sketch, file by file, stores the sketches in a Puffin file as Spark and Trino do,
 * and makes it the statistics of the snapshot. Jobs go on writing meanwhile; a file that is gone since the plan ends it.
 *
 * @throws FrazilError `conflict` when the snapshot has been expired meanwhile, `unavailable`
 */
export async function runStatistics(context: MaintenanceContext, plan: StatisticsPlan): Promise<StatisticsReport> {
  const { io, runtime } = context;
  const { table, snapshot, columns } = plan;
  const { location } = table.metadata;
  const sketches = columns.map(() => new ThetaSketch());
  const rows = await sketchColumns(context, plan, sketches).catch((error: unknown) => {
    if (!(error instanceof FrazilError) || error.kind !== "not-found") throw error;
    const message = `table ${identText(table.ident)}: a file of snapshot ${snapshot.snapshotId} is gone`;
    const hint = "the snapshot was expired meanwhile; run it again";
    throw new FrazilError("conflict", "SNAPSHOT_GONE", message, { hint, cause: error });
  });
  // Without an owner: the name tells no epoch, as the commit asserts none.
  const path = maintenanceNames(location, null, runtime.random).statistics();
  const { snapshotId, sequenceNumber } = snapshot;
  const blobs = columns.map(({ id }, i) => {
    const sketch = sketches[i] as ThetaSketch;
    const properties = { ndv: String(sketch.estimate()) };
    return { type: BLOB_TYPE, fields: [id], properties, bytes: sketch.compactBytes() };
  });
  const { bytes, footerSizeBytes } = encodePuffin(blobs, { snapshotId, sequenceNumber });
  await io.write(path, bytes);
  runtime.step("statistics.write");
  const statistics: StatisticsFile = {
    snapshotId,
    path,
    fileSizeBytes: BigInt(bytes.length),
    footerSizeBytes: BigInt(footerSizeBytes),
    blobs: blobs.map(({ type, fields, properties }) => ({ type, snapshotId, sequenceNumber, fields, properties })),
  };
  await commitStatistics(context, table, statistics);
  const distinct = new Map(columns.map(({ name }, i) => [name, (sketches[i] as ThetaSketch).estimate()]));
  return { snapshotId, rows, distinct, path };
}

/** @returns the number of live rows. */
async function sketchColumns(
  { io, runtime }: MaintenanceContext,
  { table, columns, files, deletes }: StatisticsPlan,
  sketches: readonly ThetaSketch[],
): Promise<number> {
  const schema = currentSchema(table.metadata);
  const ids = columns.map(({ id }) => id);
  const reader = deletedPositions(io);
  let rows = 0;
  for (const { file } of files) {
    const deleted: RoaringBitmap = await reader.of(file, deletes.get(file.filePath) ?? []);
    let start = 0;
    for await (const batch of readDataFile(io, file, schema, ids)) {
      for (const [i, column] of batch.columns.entries()) {
        const sketch = sketches[i] as ThetaSketch;
        const { type } = columns[i] as PrimitiveField;
        for (let row = 0; row < batch.length; row++) {
          if (deleted.cardinality > 0 && deleted.has(start + row)) continue;
          const value = valueAt(column, row);
          if (value !== null) sketch.update(encodeValue(type, value));
        }
      }
      start += batch.length;
      // A job in this process gets its turn between row groups.
      await runtime.clock.sleep(0);
    }
    rows += start - deleted.cardinality;
    runtime.step("statistics.read");
  }
  return rows;
}

function isPrimitiveField(field: NestedField): field is PrimitiveField {
  return isComparable(field.type);
}

function namedColumn({ ident }: LoadedTable, fields: readonly NestedField[], name: string): PrimitiveField {
  const field = fields.find((each) => each.name === name);
  if (field === undefined) {
    throw new FrazilError("not-found", "COLUMN_NOT_FOUND", `table ${identText(ident)} has no column ${name}`, {
      hint: `its columns are ${fields.map((each) => each.name).join(", ")}`,
    });
  }
  if (isPrimitiveField(field)) return field;
  throw new FrazilError(
    "unsupported",
    "COLUMN_NESTED",
    `column ${name} of table ${identText(ident)} is ${typeText(field.type)}`,
    {
      hint: "distinct values are counted of columns of primitive types that have an order",
    },
  );
}
