import { mapConcurrently } from "../io/concurrent-map.ts";
import type { FileIO } from "../io/file-io.ts";
import { MANIFESTS_AT_ONCE } from "../limits.ts";
import type { LiveFile } from "../manifest/data-file.ts";
import { scopedDataFile } from "../manifest/delete-scope.ts";
import { hasLiveFiles, isLive, type ManifestFile } from "../manifest/manifest-file.ts";
import { readManifestList } from "../manifest/manifest-list.ts";
import { type ManifestCache, readManifest } from "../manifest/manifest-reader.ts";
import type { Snapshot, TableMetadata } from "../metadata/table-metadata.ts";
import { isDeletionVector } from "../puffin/deletion-vector.ts";
import type { PlannedFile } from "../transaction/manifest-filter.ts";
import { partitionKey } from "../transaction/snapshot-summary.ts";

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
 * same file or partition with a sequence number that is not lower. Beside a deletion vector no position delete file counts.
 */
export async function planSnapshot(
  io: FileIO,
  metadata: TableMetadata,
  snapshot: Snapshot,
  cache?: ManifestCache,
): Promise<SnapshotPlan> {
  const manifests = (await readManifestList(io, snapshot)).filter(hasLiveFiles);
  const of = (content: ManifestFile["content"]) => manifests.filter((manifest) => manifest.content === content);
  const dataFiles = await liveFiles(io, metadata, of("data"), cache);
  const deleteFiles = await liveFiles(io, metadata, of("deletes"), cache);
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
): Promise<PlannedFile[]> {
  const lists = await mapConcurrently(manifests, MANIFESTS_AT_ONCE, async (manifest) => {
    const entries = await readManifest(io, metadata, manifest, cache);
    return entries.filter(isLive).map(({ file, snapshotId, sequenceNumber, fileSequenceNumber }): PlannedFile => ({
      file,
      snapshotId,
      sequenceNumber,
      fileSequenceNumber,
      manifestPath: manifest.path,
    }));
  });
  return lists.flat();
}

/** Gives each data file the position deletes that apply to it; data files without any are absent. */
export function matchDeletes<T extends LiveFile>(
  dataFiles: readonly LiveFile[],
  deleteFiles: readonly T[],
): Map<string, T[]> {
  const byPath = new Map<string, T[]>();
  const byPartition = new Map<string, T[]>();
  for (const each of deleteFiles) {
    if (each.file.content !== "position-deletes") continue;
    const path = scopedDataFile(each.file);
    if (path === null) push(byPartition, partitionKey(each.file), each);
    else push(byPath, path, each);
  }
  const matched = new Map<string, T[]>();
  if (byPath.size === 0 && byPartition.size === 0) return matched;
  for (const { file, sequenceNumber } of dataFiles) {
    const scoped = byPath.get(file.filePath) ?? [];
    const inPartition = byPartition.size === 0 ? [] : (byPartition.get(partitionKey(file)) ?? []);
    // Not lower: a vector may delete rows that its own commit added.
    const applying = [...scoped, ...inPartition].filter((each) => each.sequenceNumber >= sequenceNumber);
    const vectors = applying.filter((each) => isDeletionVector(each.file));
    if (applying.length > 0) matched.set(file.filePath, vectors.length > 0 ? vectors : applying);
  }
  return matched;
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else values.push(value);
}
