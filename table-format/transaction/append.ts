import { FrazilError } from "../errors.ts";
import type { DataFile } from "../manifest/data-file.ts";
import type { TableOperation } from "./operation.ts";
import { type SnapshotOptions, snapshotUpdates } from "./snapshot-operation.ts";

export interface Append extends SnapshotOptions {
  readonly dataFiles: readonly DataFile[];
}

/**
 * Adds data files (Java's `newAppend`). Small manifests are merged as the table's `commit.manifest-merge.*` say. An append conflicts
 * with nothing.
 */
export function appendFiles(append: Append): TableOperation {
  return appendOf("append", append, true);
}

/** Adds data files in a manifest of their own (Java's `newFastAppend`): reads and merges no other. For many small commits in a row. */
export function fastAppend(append: Append): TableOperation {
  return appendOf("fast append", append, false);
}

function appendOf(name: string, { dataFiles, ...options }: Append, mergeManifests: boolean): TableOperation {
  for (const { content, filePath } of dataFiles) {
    if (content === "data") continue;
    throw new FrazilError("data", "NOT_A_DATA_FILE", `expected data files to append, found ${content} ${filePath}`);
  }
  return {
    name,
    updates: (attempt) => snapshotUpdates(attempt, options, "append", { addedDataFiles: dataFiles, mergeManifests }),
  };
}
