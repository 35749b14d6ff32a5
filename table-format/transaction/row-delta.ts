import { FrazilError } from "../errors.ts";
import type { DataFile, LiveFile } from "../manifest/data-file.ts";
import { scopedDataFile } from "../manifest/delete-scope.ts";
import { readManifestList } from "../manifest/manifest-list.ts";
import type { Snapshot } from "../metadata/table-metadata.ts";
import { isDeletionVector } from "../puffin/deletion-vector.ts";
import {
  validateAddedDataFiles,
  validateAddedVectors,
  validateDataFilesExist,
  validateNoNewDeleteFiles,
  validateNoNewDeletesForDataFiles,
} from "./conflicts.ts";
import { distinct, notLive } from "./delete-data-files.ts";
import { EVERY_FILE } from "./file-filter.ts";
import { findLiveFiles } from "./live-files.ts";
import { partitionTest } from "./manifest-filter.ts";
import { filterOf, type RowFilter } from "./row-filter.ts";
import type { OperationAttempt, TableOperation } from "./operation.ts";
import { joinDeltas, type PositionDelta, storeDeltas } from "./position-deltas.ts";
import {
  branchHead,
  type SnapshotOptions,
  snapshotUpdates,
  type ValidationOptions,
  type ValidationRange,
  validationRange,
} from "./snapshot-operation.ts";
import type { Operation } from "./snapshot-producer.ts";
import { checkStartIsAncestor, entriesSince } from "./validation-history.ts";

export interface RowDelta extends SnapshotOptions, ValidationOptions {
  /** New rows. */
  readonly dataFiles?: readonly DataFile[] | undefined;
  /**
   * Rows that go, by their places. The files for it are written at every attempt, merged with what is deleted already. A data file
   * that is removed meanwhile is a conflict, unless its rows were deleted as a whole (`validateDeletedFiles`), and so is one that was
   * removed before.
   */
  readonly deletedRows?: readonly PositionDelta[] | undefined;
  /**
   * Delete files that the caller has written: deletion vectors complete, beside the removal of those before them. Several vectors of
   * one data file are joined.
   */
  readonly deleteFiles?: readonly DataFile[] | undefined;
  readonly removedDataFiles?: readonly LiveFile[] | undefined;
  readonly removedDeleteFiles?: readonly LiveFile[] | undefined;
  /** Rows that the change has read: others may not have touched them. Default: all. */
  readonly conflictDetectionFilter?: RowFilter | undefined;
  /** Paths of data files that the delete files are about: they may not have been replaced since. */
  readonly validateDataFilesExist?: readonly string[] | undefined;
  /** Counts files that were removed by a `delete` among those too. */
  readonly validateDeletedFiles?: boolean | undefined;
  /** Serializable isolation: nobody may have added rows that match since. */
  readonly validateNoConflictingDataFiles?: boolean | undefined;
  /** Snapshot isolation: nobody may have deleted rows that match since. */
  readonly validateNoConflictingDeleteFiles?: boolean | undefined;
}

/**
 * Adds and deletes rows in one commit (Java's `newRowDelta`): merge-on-read updates and deletes. A deletion vector that others have
 * added since for the same data file is always a conflict.
 */
export function rowDelta(delta: RowDelta): TableOperation {
  const { dataFiles = [], deleteFiles = [], removedDataFiles = [], removedDeleteFiles = [] } = delta;
  const deletedRows = joinDeltas(delta.deletedRows ?? []);
  const removed = new Set(removedDataFiles.map(({ file }) => file.filePath));
  const about = [
    ...(delta.validateDataFilesExist ?? []),
    ...deleteFiles.map(scopedDataFile),
    ...deletedRows.map(({ dataFile }) => dataFile.file.filePath),
  ];
  for (const path of about) {
    if (path === null || !removed.has(path)) continue;
    const message = `expected deletes of data files that stay, found some of ${path}, which is removed`;
    throw new FrazilError("data", "DELETES_OF_REMOVED_FILE", message);
  }
  return {
    name: "row delta",
    async updates(attempt) {
      const range = validationRange(attempt, delta);
      const left = await validate(attempt, range, delta, deletedRows);
      const head = branchHead(attempt.base, delta.branch);
      await checkLive(attempt, head, left);
      const stored = await storeDeltas(attempt, head, left);
      const addsDeletes = deleteFiles.length + deletedRows.length > 0;
      return snapshotUpdates(attempt, delta, operationOf(dataFiles.length > 0, addsDeletes, removed.size > 0), {
        addedDataFiles: dataFiles,
        addedDeleteFiles: [...deleteFiles, ...stored.addedDeleteFiles],
        removedDataFiles: distinct([...removedDataFiles, ...stored.removedDataFiles]),
        removedDeleteFiles: [...removedDeleteFiles, ...stored.removedDeleteFiles],
      });
    },
  };
}

/** As `BaseRowDelta.operation` names it. */
function operationOf(addsData: boolean, addsDeletes: boolean, removesData: boolean): Operation {
  if (addsData && !addsDeletes && !removesData) return "append";
  return addsDeletes && !addsData ? "delete" : "overwrite";
}

/**
 * Beyond Java: rows are deleted in live files alone. Else a delete that was planned before the caller loaded the table would be lost where
 * the file was rewritten in between. A manifest that is still listed still holds the files that were found in it, and is not read again.
 */
async function checkLive(
  attempt: OperationAttempt,
  head: Snapshot | null,
  deltas: readonly PositionDelta[],
): Promise<void> {
  if (deltas.length === 0) return;
  const list = head === null ? [] : await readManifestList(attempt.context.io, head);
  const listed = new Set(list.map(({ path }) => path));
  const sought = deltas
    .map(({ dataFile }) => dataFile)
    .filter((dataFile) => !("manifestPath" in dataFile && listed.has(dataFile.manifestPath as string)))
    .map(({ file }) => file);
  if (sought.length === 0) return;
  const paths = new Set(sought.map(({ filePath }) => filePath));
  const mayHold = partitionTest(sought, attempt.base);
  const found = await findLiveFiles(attempt, head, "data", ({ filePath }) => paths.has(filePath), mayHold);
  for (const { file } of found) paths.delete(file.filePath);
  for (const path of paths) throw notLive(path);
}

/** As `BaseRowDelta.validate` has it; gives the deletes whose data files are still there. */
async function validate(
  attempt: OperationAttempt,
  range: ValidationRange,
  delta: RowDelta,
  deletedRows: readonly PositionDelta[],
): Promise<PositionDelta[]> {
  const given = delta.conflictDetectionFilter;
  const filter = given === undefined ? EVERY_FILE : filterOf(attempt.base, given);
  const paths = deletedRows.map(({ dataFile }) => dataFile.file.filePath);
  const referenced = new Set([...(delta.validateDataFilesExist ?? []), ...paths]);
  if (delta.validateFromSnapshot !== undefined) checkStartIsAncestor(attempt, range);
  const skipDeletes = delta.validateDeletedFiles !== true;
  await validateDataFilesExist(attempt, range, referenced, { skipDeletes, filter });
  if (delta.validateNoConflictingDataFiles === true) await validateAddedDataFiles(attempt, range, filter);
  if (delta.validateNoConflictingDeleteFiles === true) {
    await validateNoNewDeletesForDataFiles(attempt, range, delta.removedDataFiles ?? [], { filter });
    await validateNoNewDeleteFiles(attempt, range, filter);
  }
  const vectors = (delta.deleteFiles ?? []).filter(isDeletionVector).map((file) => file.referencedDataFile ?? "");
  await validateAddedVectors(attempt, range, new Set([...paths, ...vectors]));
  if (deletedRows.length === 0) return [];
  const gone = await entriesSince(attempt, range, "data", ["delete"], ({ status, file }) => {
    return status === "deleted" && referenced.has(file.filePath);
  });
  const gonePaths = new Set(gone.map(({ file }) => file.filePath));
  return deletedRows.filter(({ dataFile }) => !gonePaths.has(dataFile.file.filePath));
}
