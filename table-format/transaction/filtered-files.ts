import { FrazilError } from "../errors.ts";
import type { ManifestFile } from "../manifest/manifest-file.ts";
import type { Snapshot } from "../metadata/table-metadata.ts";
import type { FileFilter } from "./file-filter.ts";
import { findLiveFiles } from "./live-files.ts";
import type { PlannedFile } from "./manifest-filter.ts";
import type { OperationAttempt } from "./operation.ts";

/** What a condition on rows takes out of a table. */
export interface MatchingFiles {
  readonly dataFiles: readonly PlannedFile[];
  /** Those that can be about no other rows: of whole partitions, for others may be about files that stay. */
  readonly deleteFiles: readonly PlannedFile[];
}

/**
 * The live data files whose every row matches a condition, for operations that remove them, and the delete files that go with them.
 * @throws FrazilError kind `data`, code `PARTIAL_MATCH`, for a file of which some rows may match and others not.
 */
export async function filesMatching(
  attempt: Pick<OperationAttempt, "context" | "base">,
  head: Snapshot | null,
  filter: FileFilter,
): Promise<MatchingFiles> {
  const mayHold = (manifest: ManifestFile): boolean => filter.mightHold?.(manifest) !== false;
  const found = await findLiveFiles(attempt, head, "data", (file) => filter.mightMatch(file), mayHold);
  for (const { file } of found) {
    if (filter.mustMatch(file)) continue;
    const message = `expected files of which all rows match ${filter.text} or none, found some that may in ${file.filePath}`;
    throw new FrazilError("data", "PARTIAL_MATCH", message, {
      hint: "delete those rows by position (rowDelta), or replace the file by one without them (overwriteFiles)",
    });
  }
  const deleteFiles = await findLiveFiles(attempt, head, "deletes", (file) => filter.mustMatch(file), mayHold);
  return { dataFiles: found, deleteFiles };
}

export const NO_FILES: MatchingFiles = { dataFiles: [], deleteFiles: [] };
