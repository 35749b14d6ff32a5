import {
  type FileIO,
  type LoadedTable,
  mapConcurrently,
  parseTableMetadata,
  readManifest,
  readManifestList,
  type Snapshot,
  statisticsPaths,
  type TableMetadata,
  unlessGone,
} from "../../../table-format/index.ts";
import { EXPIRE_REQUESTS_IN_FLIGHT } from "../../core/limits.ts";

/**
 * Calls `reach` with every file that the table needs, some more than once: its metadata file and those its log names, and what each
 * snapshot holds that is in it or was in a version of it that was current since `sinceMs`: a reader that began then may still be at it.
 * Manifests are read a few at a time and not kept.
 *
 * @throws FrazilError when a file that the current metadata needs cannot be read; one of an older version may be gone.
 */
export async function walkReachable(
  io: FileIO,
  { metadata, metadataLocation }: LoadedTable,
  sinceMs: number,
  reach: (location: string) => void,
): Promise<void> {
  reach(metadataLocation);
  for (const { metadataFile } of metadata.metadataLog) reach(metadataFile);
  const manifests = new Set<string>();
  const held = new Set(metadata.snapshots.map(({ snapshotId }) => snapshotId));
  await walkSnapshots(io, metadata, metadata.snapshots, manifests, reach);
  for (const path of statisticsPaths(metadata)) reach(path);
  for (const metadataFile of versionsSince(metadata, sinceMs)) {
    const older = await unlessGone(async () => parseTableMetadata(await io.read(metadataFile), metadataFile));
    if (older === null) continue;
    for (const path of statisticsPaths(older)) reach(path);
    for (const snapshot of older.snapshots) {
      if (held.has(snapshot.snapshotId)) continue;
      held.add(snapshot.snapshotId);
      // Expired since: its files may go any time.
      await unlessGone(() => walkSnapshots(io, older, [snapshot], manifests, reach, unlessGone));
    }
  }
}

/** The older metadata files that were current at some time since then. A log entry's time is when its version began. */
function versionsSince({ metadataLog, lastUpdatedMs }: TableMetadata, sinceMs: number): string[] {
  const ends = [...metadataLog.slice(1).map(({ timestampMs }) => timestampMs), lastUpdatedMs];
  return metadataLog.flatMap(({ metadataFile }, index) => (Number(ends[index]) >= sinceMs ? [metadataFile] : []));
}

async function walkSnapshots(
  io: FileIO,
  metadata: TableMetadata,
  snapshots: readonly Snapshot[],
  seen: Set<string>,
  reach: (location: string) => void,
  attempt: <T>(read: () => Promise<T>) => Promise<T | null> = (read) => read(),
): Promise<void> {
  for (const snapshot of snapshots) {
    reach(snapshot.manifestList);
    const unseen = (await readManifestList(io, snapshot)).filter(({ path }) => !seen.has(path));
    for (const { path } of unseen) seen.add(path);
    await mapConcurrently(unseen, EXPIRE_REQUESTS_IN_FLIGHT, async (manifest) => {
      reach(manifest.path);
      const entries = await attempt(() => readManifest(io, metadata, manifest));
      for (const { status, file } of entries ?? []) if (status !== "deleted") reach(file.filePath);
    });
  }
}
