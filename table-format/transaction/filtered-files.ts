import { FrazilError } from "../errors.ts";
import type { Snapshot } from "../metadata/table-metadata.ts";
import type { FileFilter } from "./file-filter.ts";
import { findLiveFiles } from "./live-files.ts";
import type { PlannedFile } from "./manifest-filter.ts";
import type { OperationAttempt } from "./operation.ts";

/**
 * The live data files whose every row matches a condition, for operations that remove them.
 * @throws FrazilError kind `data`, code `PARTIAL_MATCH`, for a file of which some rows may match and others not.
 */
export async function filesMatching(
  attempt: Pick<OperationAttempt, "context" | "base">,
  head: Snapshot | null,
  filter: FileFilter,
): Promise<PlannedFile[]> {
  const found = await findLiveFiles(
    attempt,
    head,
    "data",
    (file) => filter.mightMatch(file),
    (manifest) => filter.mightHold?.(manifest) !== false,
  );
  for (const { file } of found) {
    if (filter.mustMatch(file)) continue;
    const message = `expected files of which all rows match ${filter.text} or none, found some that may in ${file.filePath}`;
    throw new FrazilError("data", "PARTIAL_MATCH", message, {
      hint: "delete those rows by position (rowDelta), or replace the file by one without them (overwriteFiles)",
    });
  }
  return found;
}
