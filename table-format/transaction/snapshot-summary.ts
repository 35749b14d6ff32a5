import type { DataFile } from "../manifest/data-file.ts";
import { tupleKey } from "../partition/tuple.ts";
import { isDeletionVector } from "../puffin/deletion-vector.ts";

/** The files that a snapshot puts in and takes out. */
export interface FileChanges {
  readonly added: readonly DataFile[];
  readonly removed: readonly DataFile[];
}

/** What a summary says of one side of the change. */
interface Tally {
  dataFiles: number;
  deleteFiles: number;
  positionDeleteFiles: number;
  equalityDeleteFiles: number;
  deletionVectors: number;
  records: bigint;
  positionDeletes: bigint;
  equalityDeletes: bigint;
  sizeBytes: bigint;
}

/** `total-*` keys with the keys that raise and lower them, as Java carries them forward. */
const TOTALS: readonly (readonly [total: string, added: string, removed: string])[] = [
  ["total-records", "added-records", "deleted-records"],
  ["total-files-size", "added-files-size", "removed-files-size"],
  ["total-data-files", "added-data-files", "deleted-data-files"],
  ["total-delete-files", "added-delete-files", "removed-delete-files"],
  ["total-position-deletes", "added-position-deletes", "removed-position-deletes"],
  ["total-equality-deletes", "added-equality-deletes", "removed-equality-deletes"],
];

/**
 * The summary's metrics (spec, "Optional Snapshot Summary Fields"): counts where they are not zero, totals where the previous
 * snapshot has them.
 * @param previous summary of the parent, null for the first snapshot of a branch
 */
export function summarizeChanges(
  changes: FileChanges,
  previous: ReadonlyMap<string, string> | null,
): Map<string, string> {
  const added = tally(changes.added);
  const removed = tally(changes.removed);
  const summary = new Map<string, string>();
  const put = (key: string, value: number | bigint): void => {
    if (value > 0) summary.set(key, String(value));
  };
  put("added-data-files", added.dataFiles);
  put("deleted-data-files", removed.dataFiles);
  put("added-delete-files", added.deleteFiles);
  put("removed-delete-files", removed.deleteFiles);
  put("added-position-delete-files", added.positionDeleteFiles);
  put("removed-position-delete-files", removed.positionDeleteFiles);
  put("added-equality-delete-files", added.equalityDeleteFiles);
  put("removed-equality-delete-files", removed.equalityDeleteFiles);
  put("added-dvs", added.deletionVectors);
  put("removed-dvs", removed.deletionVectors);
  put("added-records", added.records);
  put("deleted-records", removed.records);
  put("added-files-size", added.sizeBytes);
  put("removed-files-size", removed.sizeBytes);
  put("added-position-deletes", added.positionDeletes);
  put("removed-position-deletes", removed.positionDeletes);
  put("added-equality-deletes", added.equalityDeletes);
  put("removed-equality-deletes", removed.equalityDeletes);
  const partitions = new Set([...changes.added, ...changes.removed].map(partitionKey));
  summary.set("changed-partition-count", String(partitions.size));
  for (const [total, raises, lowers] of TOTALS) {
    const before = previous === null ? "0" : previous.get(total);
    if (before === undefined || !/^\d{1,19}$/.test(before)) continue;
    const now = BigInt(before) + BigInt(summary.get(raises) ?? 0) - BigInt(summary.get(lowers) ?? 0);
    if (now >= 0n) summary.set(total, String(now));
  }
  return summary;
}

/** A text that is equal for files of one partition of one spec. */
export function partitionKey(file: DataFile): string {
  return `${file.specId}/${tupleKey(file.partition)}`;
}

function tally(files: readonly DataFile[]): Tally {
  const sums: Tally = {
    dataFiles: 0,
    deleteFiles: 0,
    positionDeleteFiles: 0,
    equalityDeleteFiles: 0,
    deletionVectors: 0,
    records: 0n,
    positionDeletes: 0n,
    equalityDeletes: 0n,
    sizeBytes: 0n,
  };
  for (const file of files) {
    // Many deletion vectors share a file: each counts its own blob.
    sums.sizeBytes += file.contentSizeBytes ?? file.fileSizeBytes;
    if (file.content === "data") {
      sums.dataFiles += 1;
      sums.records += file.recordCount;
      continue;
    }
    sums.deleteFiles += 1;
    if (file.content === "equality-deletes") {
      sums.equalityDeleteFiles += 1;
      sums.equalityDeletes += file.recordCount;
    } else {
      if (isDeletionVector(file)) sums.deletionVectors += 1;
      else sums.positionDeleteFiles += 1;
      sums.positionDeletes += file.recordCount;
    }
  }
  return sums;
}
