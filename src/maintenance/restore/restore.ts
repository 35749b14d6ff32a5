import {
  currentSchema,
  type DataFile,
  deletedPositions,
  type LiveFile,
  type LoadedTable,
  produceSnapshot,
  RoaringBitmap,
  scopedDataFile,
  writeDeletionVectors,
  writePositionDeletes,
} from "../../../table-format/index.ts";
import { commitSnapshot, type MaintenanceContext, soleOwner } from "../../commit/maintenance-commit.ts";
import { maintenanceNames, type FileNames } from "../../commit/names.ts";
import type { FileChanges } from "../../commit/snapshot-change.ts";
import { must } from "../../core/errors.ts";
import type { RestoredRows, RowPlace } from "../../core/restored-rows.ts";
import { headPlan } from "../compact/head.ts";
import { writeRestored } from "./restored-files.ts";

/** The summary entry that names the snapshot as of which rows came back. */
export const RESTORED_FROM = "frazil.restored-from";

export interface RestoreWork {
  /** As it was when the rows were found. */
  readonly table: LoadedTable;
  /** The snapshot that rows are restored from. */
  readonly from: bigint;
  readonly rows: RestoredRows;
  /** Finds the rows on another base: somebody has committed meanwhile. */
  find(base: LoadedTable): Promise<RestoredRows>;
}

/** What was committed. */
export interface Restored {
  /** Null: on the last base nothing was left to restore. */
  readonly snapshotId: bigint | null;
  readonly rows: RestoredRows;
}

/**
 * Brings rows back to how they were, as one commit: the present versions are deleted by position, the old ones written anew. It asserts
 * `main`, every pipeline's tag and the schema as they are in the base that the rows were found on, and moves no tag: a running job sees it
 * as any foreign commit, and what it commits later wins. On another base the rows are looked for again.
 *
 * @throws FrazilError as `commitSnapshot`, and `unsupported` for equality deletes.
 */
export async function restoreRows(context: MaintenanceContext, work: RestoreWork): Promise<Restored> {
  const { clock, random } = context.runtime;
  const sinceMs = clock.nowMs();
  const { table } = work;
  const names = maintenanceNames(table.metadata.location, soleOwner(table), random);
  let found = { head: table.metadata.currentSnapshotId, rows: work.rows };
  const snapshotId = await commitSnapshot(context, table, {
    sinceMs,
    async produce(base, given) {
      const { metadata } = base;
      if (found.head !== metadata.currentSnapshotId) {
        found = { head: metadata.currentSnapshotId, rows: await work.find(base) };
      }
      const { rows } = found;
      if (rows.rows.length + rows.removed.length === 0) return null;
      const { snapshot } = await produceSnapshot(
        context.io,
        metadata,
        {
          snapshotId: given.snapshotId,
          timestampMs: given.timestampMs,
          ...(await filesOn(context, base, names, rows)),
          summary: new Map([[RESTORED_FROM, String(work.from)]]),
          schema: currentSchema(metadata),
          ref: "main",
        },
        {
          manifest: (index) => names.manifest(given.attempt, index),
          manifestList: () => names.manifestList(given.snapshotId, given.attempt),
        },
        context.manifests,
      );
      return snapshot;
    },
  });
  return { snapshotId, rows: found.rows };
}

async function filesOn(
  context: MaintenanceContext,
  base: LoadedTable,
  names: FileNames,
  { rows, removed }: RestoredRows,
): Promise<FileChanges> {
  const gone = [...rows.flatMap(({ now }) => now ?? []), ...removed];
  const addedDataFiles = await writeRestored(context, base, names, rows);
  return { addedDataFiles, ...(await deletionsOf(context, base, names, gone)) };
}

/** One live delete file a data file: the union of what was deleted before and now. A file whose last live row goes is dropped. */
async function deletionsOf(
  context: MaintenanceContext,
  base: LoadedTable,
  names: FileNames,
  gone: readonly RowPlace[],
): Promise<Omit<FileChanges, "addedDataFiles">> {
  const { io } = context;
  const head = await headPlan(context, base);
  const live = new Map(head.dataFiles.map((each) => [each.file.filePath, each]));
  const reader = deletedPositions(io);
  const removedDataFiles: LiveFile[] = [];
  const removedDeleteFiles: LiveFile[] = [];
  const pending: { dataFile: DataFile; bitmap: RoaringBitmap }[] = [];
  for (const [path, places] of Map.groupBy(gone, ({ file }) => file.filePath)) {
    const file = must(live.get(path), "a present row lies in a live file");
    const deletes = head.deletes.get(path) ?? [];
    const own = deletes.filter((each) => scopedDataFile(each.file) === path);
    const bitmap = (await reader.of(file.file, deletes)).clone();
    bitmap.addMany(places.map(({ position }) => position).toSorted((a, b) => a - b));
    removedDeleteFiles.push(...own);
    if (BigInt(bitmap.cardinality) === file.file.recordCount) removedDataFiles.push(file);
    else pending.push({ dataFile: file.file, bitmap });
  }
  return { removedDataFiles, removedDeleteFiles, addedDeleteFiles: await writeDeletes(context, base, names, pending) };
}

async function writeDeletes(
  { io }: MaintenanceContext,
  { metadata }: LoadedTable,
  names: FileNames,
  pending: readonly { readonly dataFile: DataFile; readonly bitmap: RoaringBitmap }[],
): Promise<readonly DataFile[]> {
  if (pending.length === 0) return [];
  if (metadata.formatVersion >= 3) return writeDeletionVectors(io, names.deletionVectors(), pending);
  return Promise.all(
    pending.map(({ dataFile, bitmap }) => writePositionDeletes(io, names.positionDeletes(), dataFile, bitmap)),
  );
}
