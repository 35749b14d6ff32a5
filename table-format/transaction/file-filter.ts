import type { DataFile } from "../manifest/data-file.ts";
import type { ManifestFile } from "../manifest/manifest-file.ts";
import { partitionKey } from "./snapshot-summary.ts";

/**
 * Which files a condition on rows is about: what row-filtered operations and conflict checks ask. It is made of an expression, or by
 * hand of what is known of the rows.
 */
export interface FileFilter {
  /** The condition as people read it. */
  readonly text: string;
  /** False only where no row of the file can match, by its partition and its metrics. Asked of delete files too. */
  mightMatch(file: DataFile): boolean;
  /** False only where a manifest lists no file that might match, by its partition summaries; absent: any may. */
  mightHold?(manifest: ManifestFile): boolean;
  /** True only where every row of the file matches, and of a delete file only where every row that it can be about does. */
  mustMatch(file: DataFile): boolean;
}

/** All rows. */
export const EVERY_FILE: FileFilter = { text: "true", mightMatch: () => true, mustMatch: () => true };

/** The rows of whole partitions: those of the given files, by spec and partition values. */
export function partitionsOf(files: readonly DataFile[]): FileFilter {
  const keys = new Set(files.map(partitionKey));
  const holds = (file: DataFile): boolean => keys.has(partitionKey(file));
  return { text: `partitions ${[...keys].join(", ")}`, mightMatch: holds, mustMatch: holds };
}
