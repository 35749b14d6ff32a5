import { mapConcurrently } from "../io/concurrent-map.ts";
import type { FileIO } from "../io/file-io.ts";
import { MANIFESTS_AT_ONCE } from "../limits.ts";
import type { LiveFile } from "../manifest/data-file.ts";
import { hasLiveFiles, type ManifestFile } from "../manifest/manifest-file.ts";
import { readManifestList } from "../manifest/manifest-list.ts";
import type { ManifestCache } from "../manifest/manifest-reader.ts";
import type { EntryFilter } from "../manifest/matching-entries.ts";
import type { Snapshot, TableMetadata } from "../metadata/table-metadata.ts";
import type { PlannedFile } from "../transaction/manifest-filter.ts";
import { positionDeleteIndex } from "./delete-index.ts";
import { filterOf, ofContent, type PlanOptions } from "./file-tasks.ts";
import { liveFilesOf } from "./live-files.ts";

/** What a snapshot consists of. */
export interface SnapshotPlan {
  readonly dataFiles: readonly PlannedFile[];
  /** By path of the data file: its deletion vector, or else every position delete file that may be about it. */
  readonly deletes: ReadonlyMap<string, readonly PlannedFile[]>;
  readonly hasEqualityDeletes: boolean;
  readonly equalityDeletes: readonly PlannedFile[];
}

/**
 * Lists the live files of a snapshot and which position deletes apply to which data file (spec, "Scan Planning"): those of the
 * same file or partition with a sequence number that is not lower. Beside a deletion vector no position delete file counts. All are
 * held; `planFiles` gives them one by one.
 * @param wanted with a filter only the files that may hold rows of which it is true, and the deletes that may take such rows
 */
export async function planSnapshot(
  io: FileIO,
  metadata: TableMetadata,
  snapshot: Snapshot,
  cache?: ManifestCache,
  wanted: Pick<PlanOptions, "filter" | "schema"> = {},
): Promise<SnapshotPlan> {
  const filter = filterOf(metadata, snapshot, wanted);
  const manifests = (await readManifestList(io, snapshot)).filter(hasLiveFiles);
  const dataFiles = await liveFiles(io, metadata, ofContent(manifests, "data", filter), cache, filter?.files ?? null);
  const deletes = await liveFiles(io, metadata, ofContent(manifests, "deletes", filter), cache);
  const deleteFiles = filter === null ? deletes : deletes.filter(({ file }) => filter.mayDelete(file));
  const equalityDeletes = deleteFiles.filter((each) => each.file.content === "equality-deletes");
  return {
    dataFiles,
    deletes: matchDeletes(dataFiles, deleteFiles),
    hasEqualityDeletes: equalityDeletes.length > 0,
    equalityDeletes,
  };
}

/** The live files that manifests list, each with its manifest. */
export async function liveFiles(
  io: FileIO,
  metadata: TableMetadata,
  manifests: readonly ManifestFile[],
  cache?: ManifestCache,
  wanted: EntryFilter | null = null,
): Promise<PlannedFile[]> {
  const lists = await mapConcurrently(manifests, MANIFESTS_AT_ONCE, (manifest) =>
    liveFilesOf(io, metadata, manifest, cache, wanted),
  );
  return lists.flat();
}

/** Gives each data file the position deletes that apply to it; data files without any are absent. */
export function matchDeletes<T extends LiveFile>(
  dataFiles: readonly LiveFile[],
  deleteFiles: readonly T[],
): Map<string, readonly T[]> {
  const deletesOf = positionDeleteIndex(deleteFiles);
  const matched = new Map<string, readonly T[]>();
  for (const each of dataFiles) {
    const applying = deletesOf(each);
    if (applying.length > 0) matched.set(each.file.filePath, applying);
  }
  return matched;
}
