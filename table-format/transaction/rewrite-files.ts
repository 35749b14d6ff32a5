import { FrazilError } from "../errors.ts";
import type { DataFile, LiveFile } from "../manifest/data-file.ts";
import { validateNoNewDeletesForDataFiles } from "./conflicts.ts";
import type { TableOperation } from "./operation.ts";
import {
  type SnapshotOptions,
  snapshotUpdates,
  type ValidationOptions,
  validationRange,
} from "./snapshot-operation.ts";
import type { AddedDeleteFile } from "./snapshot-producer.ts";

export interface RewriteFiles extends SnapshotOptions, ValidationOptions {
  readonly deletedFiles?: readonly LiveFile[] | undefined;
  /** Hold the same rows as the deleted files, without those that were deleted. In format version 3 with their row ids (`withLineage`). */
  readonly addedFiles?: readonly DataFile[] | undefined;
  readonly deletedDeleteFiles?: readonly LiveFile[] | undefined;
  /** Equality deletes keep their data sequence numbers, or they would take rows that have come since. */
  readonly addedDeleteFiles?: readonly AddedDeleteFile[] | undefined;
  /**
   * Data sequence number of the added files: that of the snapshot that was rewritten. Equality deletes that come later still apply
   * then, so they are no conflict.
   */
  readonly dataSequenceNumber?: bigint | undefined;
}

/**
 * Puts the same rows into other files (Java's `newRewrite`): compaction. Conflicts where a deleted file is not live any more, or where
 * others have deleted rows of one since.
 */
export function rewriteFiles(rewrite: RewriteFiles): TableOperation {
  const { deletedFiles = [], addedFiles = [], deletedDeleteFiles = [], addedDeleteFiles = [] } = rewrite;
  checkInputAndOutput(rewrite);
  return {
    name: "rewrite",
    async updates(attempt) {
      const ignoreEqualityDeletes = rewrite.dataSequenceNumber !== undefined;
      await validateNoNewDeletesForDataFiles(attempt, validationRange(attempt, rewrite), deletedFiles, {
        ignoreEqualityDeletes,
      });
      return snapshotUpdates(attempt, rewrite, "replace", {
        addedDataFiles: addedFiles,
        removedDataFiles: deletedFiles,
        addedDeleteFiles,
        removedDeleteFiles: deletedDeleteFiles,
        dataSequenceNumber: rewrite.dataSequenceNumber,
      });
    },
  };
}

/** As `BaseRewriteFiles.verifyInputAndOutputFiles`, and the check of every `replace`: rows may go, none may come. */
function checkInputAndOutput(rewrite: RewriteFiles): void {
  const { deletedFiles = [], addedFiles = [], deletedDeleteFiles = [], addedDeleteFiles = [] } = rewrite;
  const wrong = (message: string): FrazilError => new FrazilError("data", "REWRITE_INPUT", message);
  if (deletedFiles.length + deletedDeleteFiles.length === 0) throw wrong("expected files to rewrite, found none");
  if (deletedFiles.length === 0 && addedFiles.length > 0) {
    throw wrong("expected no data files to add where none is rewritten, found some");
  }
  if (deletedDeleteFiles.length === 0 && addedDeleteFiles.length > 0) {
    throw wrong("expected no delete files to add where none is rewritten, found some");
  }
  const added = addedFiles.reduce((sum, { recordCount }) => sum + recordCount, 0n);
  const replaced = deletedFiles.reduce((sum, { file }) => sum + file.recordCount, 0n);
  if (added > replaced)
    throw wrong(`expected at most the ${replaced} replaced rows in the added files, found ${added}`);
}
