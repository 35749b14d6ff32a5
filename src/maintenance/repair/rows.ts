import {
  createManifestCache,
  currentSchema,
  type DataFile,
  deletedPositions,
  identText,
  isDeletionVector,
  type LiveFile,
  type LoadedTable,
  planSnapshot,
  produceSnapshot,
  RoaringBitmap,
  scopedDataFile,
  type SnapshotPlan,
  snapshotById,
  currentSnapshot,
  writeDeletionVectors,
  writePositionDeletes,
} from "../../../table-format/index.ts";
import { commitSnapshot, type MaintenanceContext, soleOwner } from "../../commit/maintenance-commit.ts";
import { type FileNames, maintenanceNames } from "../../commit/names.ts";
import { type FileChanges, NO_FILES } from "../../commit/snapshot-change.ts";
import { FrazilError, must } from "../../core/errors.ts";
import { NOTHING, type Refusal, type RepairPlan } from "./repair.ts";

type Context = Omit<MaintenanceContext, "manifests">;

/** A live row of a key that others have too. */
export interface DoubledRow {
  /** Equal for rows of one key, for people. */
  readonly key: string;
  readonly dataFile: string;
  readonly position: number;
  /** The sequence number that the row carries itself; null where it has that of its file. */
  readonly updated: bigint | null;
}

/**
 * Rows of one key but the newest, deleted as the pipeline would have. Which is the newest is proven by sequence numbers: the row's own, or
 * its file's where no compaction wrote that. Rows of one commit cannot be told apart, and stay.
 */
export async function planDoubledRows(
  context: Context,
  table: LoadedTable,
  rows: readonly DoubledRow[],
): Promise<RepairPlan> {
  const head = currentSnapshot(table.metadata);
  if (head === null || rows.length === 0) return NOTHING;
  const name = identText(table.ident);
  const plan = await planSnapshot(context.io, table.metadata, head);
  const files = new Map(plan.dataFiles.map((live) => [live.file.filePath, live]));
  const older: DoubledRow[] = [];
  const refusals: Refusal[] = [];
  let keys = 0;
  for (const [key, members] of Map.groupBy(rows, (row) => row.key)) {
    const aged = members.map((row) => ({ row, age: ageOf(row, files.get(row.dataFile), table) }));
    const newest = aged.reduce<bigint | null>(
      (max, { age }) => (age !== null && (max === null || age > max) ? age : max),
      null,
    );
    if (aged.some(({ age }) => age === null) || aged.filter(({ age }) => age === newest).length > 1) {
      const places = members.map(({ dataFile, position }) => `${dataFile} row ${position}`).join(", ");
      const problem = `which row of ${key} is the newest cannot be told: ${places}`;
      refusals.push({ table: name, problem, hint: TELL_HINT });
      continue;
    }
    keys++;
    older.push(...aged.filter(({ age }) => age !== newest).map(({ row }) => row));
  }
  if (older.length === 0) return { repairs: [], refusals };
  return {
    refusals,
    repairs: [
      {
        repair: "duplicates",
        table: name,
        plan: `of ${keys} keys with several rows the newest row stays, and ${older.length} older ones are deleted, by their sequence numbers`,
        rows: BigInt(older.length),
        async run() {
          const names = maintenanceNames(table.metadata.location, soleOwner(table), context.runtime.random);
          const id = await commitRows(context, table, names, (base) => deletesOf(context, base, older, names));
          return `${name} is at snapshot ${id}, ${older.length} rows less`;
        },
      },
    ],
  };
}

const TELL_HINT =
  "look at the rows, delete the wrong one with an engine that writes deletes, or roll back to a snapshot before it (frazil rollback)";

/**
 * Null where a compaction may have given the file a number that is not its rows': one that knows of row lineage says of each row what it
 * was, and one that does not may have been before the table had row ids.
 */
function ageOf({ updated }: DoubledRow, live: LiveFile | undefined, { metadata }: LoadedTable): bigint | null {
  if (updated !== null) return updated;
  if (live === undefined) return null;
  const from = snapshotById(metadata, live.snapshotId);
  if (from?.summary.get("operation") === "replace") return null;
  return from === null && live.file.firstRowId === null ? null : live.sequenceNumber;
}

/** The rows' files with their deletes and these rows. @throws FrazilError `conflict` when one of them is no longer there. */
async function deletesOf(
  { io }: Context,
  base: LoadedTable,
  rows: readonly DoubledRow[],
  names: FileNames,
): Promise<FileChanges> {
  const plan = await planOf(io, base);
  const files = new Map(plan.dataFiles.map((live) => [live.file.filePath, live]));
  const positions = deletedPositions(io);
  const vectors: { dataFile: DataFile; bitmap: RoaringBitmap }[] = [];
  const removedDeleteFiles: LiveFile[] = [];
  for (const [path, members] of Map.groupBy(rows, ({ dataFile }) => dataFile)) {
    const live = files.get(path);
    if (live === undefined) throw movedOn(base);
    const deletes = plan.deletes.get(path) ?? [];
    const bitmap = (await positions.of(live.file, deletes)).clone();
    for (const { position } of members) {
      if (bitmap.has(position)) throw movedOn(base);
      bitmap.add(position);
    }
    vectors.push({ dataFile: live.file, bitmap });
    removedDeleteFiles.push(...deletes.filter(({ file }) => isDeletionVector(file) || scopedDataFile(file) === path));
  }
  const addedDeleteFiles =
    base.metadata.formatVersion === 3
      ? await writeDeletionVectors(io, names.deletionVectors(), vectors)
      : await Promise.all(
          vectors.map(({ dataFile, bitmap }) => writePositionDeletes(io, names.positionDeletes(), dataFile, bitmap)),
        );
  return { ...NO_FILES, addedDeleteFiles, removedDeleteFiles };
}

/**
 * Data files of the head that are gone, taken out of the table together with their deletes: their rows are given up. Never done unless it
 * is asked for.
 *
 * @param gone locations that are not there
 */
export async function planDropMissing(
  context: Context,
  table: LoadedTable,
  gone: ReadonlySet<string>,
): Promise<RepairPlan> {
  const name = identText(table.ident);
  const plan = await planOf(context.io, table);
  const lost = plan.dataFiles.filter(({ file }) => gone.has(file.filePath));
  if (lost.length === 0) return NOTHING;
  const rows = lost.reduce((sum, { file }) => sum + file.recordCount - deletedIn(plan, file), 0n);
  return {
    refusals: [],
    repairs: [
      {
        repair: "missing-data-files",
        table: name,
        plan: `${lost.length} data files that are gone are taken out of the table, and ${rows} live rows with them: ${lost.map(({ file }) => file.filePath).join(", ")}`,
        rows,
        async run() {
          const names = maintenanceNames(table.metadata.location, soleOwner(table), context.runtime.random);
          const id = await commitRows(context, table, names, async (base) => {
            const { dataFiles } = await planOf(context.io, base);
            return { ...NO_FILES, removedDataFiles: dataFiles.filter(({ file }) => gone.has(file.filePath)) };
          });
          return `${name} is at snapshot ${id}, without ${lost.length} data files; older snapshots still name them until they expire`;
        },
      },
    ],
  };
}

/** Rows of a file that are deleted as far as vectors and files about it alone say. */
function deletedIn(plan: SnapshotPlan, file: DataFile): bigint {
  const deletes = plan.deletes.get(file.filePath) ?? [];
  return deletes
    .filter((each) => scopedDataFile(each.file) === file.filePath)
    .reduce((sum, each) => sum + each.file.recordCount, 0n);
}

async function planOf(io: Context["io"], { metadata }: LoadedTable): Promise<SnapshotPlan> {
  return planSnapshot(io, metadata, must(currentSnapshot(metadata), "a table with rows has a head"));
}

/** Commits a snapshot that moves no tag: to the pipeline it is another writer's. */
async function commitRows(
  context: Context,
  table: LoadedTable,
  names: FileNames,
  filesFor: (base: LoadedTable) => Promise<FileChanges>,
): Promise<bigint> {
  const manifests = createManifestCache(0);
  const id = await commitSnapshot({ ...context, manifests }, table, {
    sinceMs: context.runtime.clock.nowMs(),
    async produce(base, { snapshotId, timestampMs, attempt }) {
      const files = await filesFor(base);
      const { snapshot } = await produceSnapshot(
        context.io,
        base.metadata,
        { snapshotId, timestampMs, ...files, summary: new Map(), schema: currentSchema(base.metadata), ref: "main" },
        {
          manifest: (index) => names.manifest(attempt, index),
          manifestList: () => names.manifestList(snapshotId, attempt),
        },
      );
      return snapshot;
    },
  });
  return must(id, "there was something to commit");
}

function movedOn({ ident }: LoadedTable): FrazilError {
  return new FrazilError(
    "conflict",
    "TABLE_MOVED_ON",
    `table ${identText(ident)}: somebody rewrote these rows meanwhile`,
    {
      hint: "run it again",
    },
  );
}
