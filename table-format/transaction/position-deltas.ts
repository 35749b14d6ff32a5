import { FrazilError } from "../errors.ts";
import type { DataFile, LiveFile } from "../manifest/data-file.ts";
import { scopedDataFile } from "../manifest/delete-scope.ts";
import type { Snapshot } from "../metadata/table-metadata.ts";
import { writeDeletionVectors } from "../puffin/deletion-vector.ts";
import type { RoaringBitmap } from "../puffin/roaring.ts";
import { deletedPositions } from "../scan/deleted-positions.ts";
import { matchDeletes } from "../scan/plan.ts";
import { writePositionDeletes } from "../scan/position-deletes.ts";
import { findLiveFiles } from "./live-files.ts";
import { partitionTest } from "./manifest-filter.ts";
import type { OperationAttempt } from "./operation.ts";
import { checkTakesDeletes } from "./snapshot-producer.ts";

/** Rows of a live data file that go. */
export interface PositionDelta {
  /** As a plan of the table names it. */
  readonly dataFile: LiveFile;
  /** Row numbers, from 0. */
  readonly positions: RoaringBitmap;
}

/** What deletes of rows do to the files of a table. */
export interface DeltaFiles {
  readonly addedDeleteFiles: readonly DataFile[];
  readonly removedDeleteFiles: readonly LiveFile[];
  /** Data files of which no row is left. */
  readonly removedDataFiles: readonly LiveFile[];
}

/**
 * Stores deletes in the form that the table's format version wants: position delete files in version 2, and in version 3 one deletion
 * vector a data file, which takes up the vector before it and all position deletes of older versions that apply to the file (spec,
 * "Deletion Vectors"). Delete files that were about one of the data files alone go with that; those of whole partitions stay.
 */
export async function storeDeltas(
  attempt: OperationAttempt,
  head: Snapshot | null,
  deltas: readonly PositionDelta[],
): Promise<DeltaFiles> {
  if (deltas.length === 0) return { addedDeleteFiles: [], removedDeleteFiles: [], removedDataFiles: [] };
  checkTakesDeletes(attempt.base);
  return attempt.base.formatVersion === 3 ? storeVectors(attempt, head, deltas) : storePositions(attempt, deltas);
}

async function storeVectors(
  attempt: OperationAttempt,
  head: Snapshot | null,
  deltas: readonly PositionDelta[],
): Promise<DeltaFiles> {
  const { context, base, names } = attempt;
  const dataFiles = deltas.map(({ dataFile }) => dataFile);
  const paths = new Set(dataFiles.map(({ file }) => file.filePath));
  const deletes = await findLiveFiles(
    attempt,
    head,
    "deletes",
    (file) => {
      const scoped = scopedDataFile(file);
      return file.content === "position-deletes" && (scoped === null || paths.has(scoped));
    },
    partitionTest(
      dataFiles.map(({ file }) => file),
      base,
    ),
  );
  const applying = matchDeletes(dataFiles, deletes);
  const reader = deletedPositions(context.io);
  const merged = await Promise.all(
    deltas.map(async ({ dataFile, positions }) => {
      const before = await reader.of(dataFile.file, applying.get(dataFile.file.filePath) ?? []);
      return { dataFile, bitmap: before.union(positions) };
    }),
  );
  const isDead = ({ dataFile, bitmap }: (typeof merged)[number]): boolean =>
    BigInt(bitmap.cardinality) === dataFile.file.recordCount;
  const vectors = merged
    .filter((each) => !isDead(each))
    .map(({ dataFile, bitmap }) => ({ dataFile: dataFile.file, bitmap }));
  return {
    addedDeleteFiles:
      vectors.length === 0 ? [] : await writeDeletionVectors(context.io, names.deleteFile("puffin"), vectors),
    removedDeleteFiles: deletes.filter(({ file }) => scopedDataFile(file) !== null),
    removedDataFiles: merged.filter(isDead).map(({ dataFile }) => dataFile),
  };
}

async function storePositions(
  { context, names }: OperationAttempt,
  deltas: readonly PositionDelta[],
): Promise<DeltaFiles> {
  const isDead = ({ dataFile, positions }: PositionDelta): boolean =>
    BigInt(positions.cardinality) === dataFile.file.recordCount;
  const addedDeleteFiles: DataFile[] = [];
  for (const delta of deltas) {
    if (isDead(delta)) continue;
    const location = names.deleteFile("parquet");
    addedDeleteFiles.push(await writePositionDeletes(context.io, location, delta.dataFile.file, delta.positions));
  }
  return {
    addedDeleteFiles,
    removedDeleteFiles: [],
    removedDataFiles: deltas.filter(isDead).map(({ dataFile }) => dataFile),
  };
}

/** One delta a data file, empty ones left out. @throws FrazilError kind `data` for positions beyond the file's end. */
export function joinDeltas(deltas: readonly PositionDelta[]): PositionDelta[] {
  const joined = new Map<string, PositionDelta>();
  for (const { dataFile, positions } of deltas) {
    const { filePath, recordCount } = dataFile.file;
    if (positions.rank(Number(recordCount)) !== positions.cardinality) {
      throw new FrazilError(
        "data",
        "POSITION_OUT_OF_FILE",
        `${filePath} has ${recordCount} rows, found a delete beyond`,
      );
    }
    const before = joined.get(filePath)?.positions;
    if (positions.cardinality === 0) continue;
    joined.set(filePath, { dataFile, positions: before === undefined ? positions : before.union(positions) });
  }
  return [...joined.values()];
}
