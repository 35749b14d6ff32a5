import type { DataFile } from "../manifest/data-file.ts";
import { specById } from "../metadata/refs.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import { isUnpartitioned } from "../partition/spec.ts";
import { validateAddedDataFiles, validateDeletedDataFiles, validateNoNewDeleteFiles } from "./conflicts.ts";
import { FrazilError } from "../errors.ts";
import { EVERY_FILE, type FileFilter, partitionsOf } from "./file-filter.ts";
import { findLiveFiles } from "./live-files.ts";
import type { TableOperation } from "./operation.ts";
import {
  branchHead,
  type SnapshotOptions,
  snapshotUpdates,
  type ValidationOptions,
  validationRange,
} from "./snapshot-operation.ts";

/** In the summary of a dynamic partition overwrite, so that it can be cherry-picked. */
export const REPLACE_PARTITIONS = "replace-partitions";

export interface ReplacePartitions extends SnapshotOptions, ValidationOptions {
  /** The new content of their partitions. */
  readonly dataFiles: readonly DataFile[];
  /** Fails if a partition holds files already, of deletes too. */
  readonly validateAppendOnly?: boolean | undefined;
  /** Nobody may have added rows to the partitions since. */
  readonly validateNoConflictingData?: boolean | undefined;
  /** Nobody may have deleted rows or files of the partitions since. */
  readonly validateNoConflictingDeletes?: boolean | undefined;
}

/**
 * Dynamic partition overwrite (Java's `newReplacePartitions`): every partition that gets a file loses all that it held, also its
 * deletes. Files of other partition specs stay; a table that is not partitioned is replaced as a whole.
 */
export function replacePartitions(replace: ReplacePartitions): TableOperation {
  const { dataFiles } = replace;
  return {
    name: "replace partitions",
    async updates(attempt) {
      const { base } = attempt;
      const replaced = replacedFilter(base, dataFiles);
      const range = validationRange(attempt, replace);
      if (replace.validateNoConflictingData === true) await validateAddedDataFiles(attempt, range, replaced);
      if (replace.validateNoConflictingDeletes === true) {
        await validateDeletedDataFiles(attempt, range, replaced);
        await validateNoNewDeleteFiles(attempt, range, replaced);
      }
      const head = branchHead(base, replace.branch);
      const of = (content: "data" | "deletes") =>
        findLiveFiles(attempt, head, content, (file) => replaced.mightMatch(file));
      const [removedDataFiles, removedDeleteFiles] = [await of("data"), await of("deletes")];
      const [held] = [...removedDataFiles, ...removedDeleteFiles];
      if (replace.validateAppendOnly === true && held !== undefined) {
        throw new FrazilError(
          "conflict",
          "PARTITION_NOT_EMPTY",
          `expected to add to empty partitions only, found ${held.file.filePath}`,
        );
      }
      return snapshotUpdates(
        attempt,
        replace,
        "overwrite",
        { addedDataFiles: dataFiles, removedDataFiles, removedDeleteFiles },
        new Map([[REPLACE_PARTITIONS, "true"]]),
      );
    },
  };
}

function replacedFilter(base: TableMetadata, dataFiles: readonly DataFile[]): FileFilter {
  const unpartitioned = dataFiles.some(({ specId }) => isUnpartitioned(specById(base, specId)));
  return unpartitioned ? EVERY_FILE : partitionsOf(dataFiles);
}
