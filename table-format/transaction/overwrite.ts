import { FrazilError } from "../errors.ts";
import type { DataFile, LiveFile } from "../manifest/data-file.ts";
import {
  validateAddedDataFiles,
  validateDeletedDataFiles,
  validateNoNewDeleteFiles,
  validateNoNewDeletesForDataFiles,
} from "./conflicts.ts";
import { distinct } from "./delete-data-files.ts";
import { EVERY_FILE, type FileFilter } from "./file-filter.ts";
import { filterOf, type RowFilter } from "./row-filter.ts";
import { filesMatching, NO_FILES } from "./filtered-files.ts";
import type { OperationAttempt, TableOperation } from "./operation.ts";
import {
  branchHead,
  type SnapshotOptions,
  snapshotUpdates,
  type ValidationOptions,
  validationRange,
} from "./snapshot-operation.ts";
import type { Operation } from "./snapshot-producer.ts";

export interface OverwriteFiles extends SnapshotOptions, ValidationOptions {
  readonly addedFiles?: readonly DataFile[] | undefined;
  /** Live files that go. */
  readonly deletedFiles?: readonly LiveFile[] | undefined;
  /** Live delete files that go; those that are about deleted files alone go without being named. */
  readonly deletedDeleteFiles?: readonly LiveFile[] | undefined;
  /** Files whose every row matches go too, and deletes that can be about no other rows. */
  readonly overwriteByRowFilter?: RowFilter | undefined;
  /** Rows that the overwrite has read: others may not have touched them. Default: those of `overwriteByRowFilter`, else all. */
  readonly conflictDetectionFilter?: RowFilter | undefined;
  /** Refuses added files with rows that do not match `overwriteByRowFilter`. */
  readonly validateAddedFilesMatchOverwriteFilter?: boolean | undefined;
  /** Serializable isolation: nobody may have added rows that match since. */
  readonly validateNoConflictingData?: boolean | undefined;
  /** Snapshot isolation: nobody may have deleted rows that match, or rows of deleted files, since. */
  readonly validateNoConflictingDeletes?: boolean | undefined;
}

/**
 * Replaces files by others in one commit (Java's `newOverwrite`): copy-on-write, or the rows of a condition. A deleted file that is
 * not live any more is always a conflict.
 */
export function overwriteFiles(overwrite: OverwriteFiles): TableOperation {
  const { addedFiles = [], deletedFiles = [], deletedDeleteFiles = [] } = overwrite;
  return {
    name: "overwrite",
    async updates(attempt) {
      const filters = filtersOf(attempt, overwrite);
      const { overwriteByRowFilter } = filters;
      if (overwrite.validateAddedFilesMatchOverwriteFilter === true) checkAddedMatch(addedFiles, overwriteByRowFilter);
      await validate(attempt, overwrite, filters);
      const head = branchHead(attempt.base, overwrite.branch);
      const matching =
        overwriteByRowFilter === undefined ? NO_FILES : await filesMatching(attempt, head, overwriteByRowFilter);
      const removedDataFiles = distinct([...deletedFiles, ...matching.dataFiles]);
      const removedDeleteFiles = distinct([...deletedDeleteFiles, ...matching.deleteFiles]);
      const removes = deletedFiles.length > 0 || overwriteByRowFilter !== undefined;
      const operation: Operation = !removes ? "append" : addedFiles.length === 0 ? "delete" : "overwrite";
      return snapshotUpdates(attempt, overwrite, operation, {
        addedDataFiles: addedFiles,
        removedDataFiles,
        removedDeleteFiles,
      });
    },
  };
}

interface Filters {
  readonly overwriteByRowFilter: FileFilter | undefined;
  readonly conflictDetectionFilter: FileFilter | undefined;
}

function filtersOf({ base }: OperationAttempt, overwrite: OverwriteFiles): Filters {
  const made = (filter: RowFilter | undefined) => (filter === undefined ? undefined : filterOf(base, filter));
  return {
    overwriteByRowFilter: made(overwrite.overwriteByRowFilter),
    conflictDetectionFilter: made(overwrite.conflictDetectionFilter),
  };
}

/** As `BaseOverwriteFiles.validate` has it. */
async function validate(
  attempt: OperationAttempt,
  overwrite: OverwriteFiles,
  { conflictDetectionFilter, overwriteByRowFilter }: Filters,
): Promise<void> {
  const { deletedFiles = [] } = overwrite;
  const range = validationRange(attempt, overwrite);
  if (overwrite.validateNoConflictingData === true) {
    const byFilter = deletedFiles.length === 0 ? overwriteByRowFilter : undefined;
    await validateAddedDataFiles(attempt, range, conflictDetectionFilter ?? byFilter ?? EVERY_FILE);
  }
  if (overwrite.validateNoConflictingDeletes !== true) return;
  if (overwriteByRowFilter !== undefined) {
    const filter = conflictDetectionFilter ?? overwriteByRowFilter;
    await validateNoNewDeleteFiles(attempt, range, filter);
    await validateDeletedDataFiles(attempt, range, filter);
  }
  await validateNoNewDeletesForDataFiles(attempt, range, deletedFiles, { filter: conflictDetectionFilter });
}

function checkAddedMatch(addedFiles: readonly DataFile[], overwriteByRowFilter: FileFilter | undefined): void {
  for (const file of addedFiles) {
    if (overwriteByRowFilter?.mustMatch(file) === true) continue;
    const filter = overwriteByRowFilter?.text ?? "false";
    const message = `expected rows that match ${filter} in the files that replace them, found others in ${file.filePath}`;
    throw new FrazilError("data", "ADDED_OUTSIDE_FILTER", message);
  }
}
