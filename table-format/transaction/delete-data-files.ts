import { FrazilError } from "../errors.ts";
import type { LiveFile } from "../manifest/data-file.ts";
import { contentKey } from "../manifest/delete-scope.ts";
import { filesMatching, NO_FILES } from "./filtered-files.ts";
import { findLiveFiles } from "./live-files.ts";
import type { TableOperation } from "./operation.ts";
import { filterOf, type RowFilter } from "./row-filter.ts";
import { branchHead, type SnapshotOptions, snapshotUpdates } from "./snapshot-operation.ts";

export interface DeleteDataFiles extends SnapshotOptions {
  /** Data files by their paths. */
  readonly paths?: readonly string[] | undefined;
  /** Data files whose every row matches, and deletes that can be about no other rows. */
  readonly rowFilter?: RowFilter | undefined;
  /** Makes it a conflict that a path is not live (any more); otherwise it is passed over. */
  readonly validateFilesExist?: boolean | undefined;
}

/**
 * Removes data files, with the deletes that were about them alone (Java's `newDelete`).
 * The commit throws `data`, code `PARTIAL_MATCH`, where only some rows of a file may match; `conflict`, code `FILE_NOT_LIVE`.
 */
export function deleteDataFiles({
  paths = [],
  rowFilter,
  validateFilesExist,
  ...options
}: DeleteDataFiles): TableOperation {
  const wanted = new Set(paths);
  return {
    name: "delete",
    async updates(attempt) {
      const head = branchHead(attempt.base, options.branch);
      const named =
        wanted.size === 0 ? [] : await findLiveFiles(attempt, head, "data", (file) => wanted.has(file.filePath));
      if (validateFilesExist === true) {
        const live = new Set(named.map(({ file }) => file.filePath));
        for (const path of wanted) if (!live.has(path)) throw notLive(path);
      }
      const matching =
        rowFilter === undefined ? NO_FILES : await filesMatching(attempt, head, filterOf(attempt.base, rowFilter));
      const removedDataFiles = distinct([...named, ...matching.dataFiles]);
      return snapshotUpdates(attempt, options, "delete", {
        removedDataFiles,
        removedDeleteFiles: matching.deleteFiles,
      });
    },
  };
}

/** Each file once. */
export function distinct<T extends LiveFile>(files: readonly T[]): T[] {
  return [...new Map(files.map((each) => [contentKey(each.file), each])).values()];
}

/** A file that somebody has removed. */
export function notLive(path: string): FrazilError {
  return new FrazilError("conflict", "FILE_NOT_LIVE", `expected live data file ${path}, found none in the table`, {
    hint: "another commit removed it; load the table again and repeat the change",
  });
}
