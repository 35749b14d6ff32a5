import type { FileIO } from "../io/file-io.ts";
import { isLive, type ManifestEntry, type ManifestFile } from "../manifest/manifest-file.ts";
import { type EntryFilter, readMatching } from "../manifest/matching-entries.ts";
import { type ManifestCache, readManifest } from "../manifest/manifest-reader.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import type { PlannedFile } from "../transaction/manifest-filter.ts";

/**
 * The live files that a manifest lists.
 * @param wanted lets only some of them pass; without a cache the others are not read in full
 */
export async function liveFilesOf(
  io: FileIO,
  metadata: TableMetadata,
  manifest: ManifestFile,
  cache: ManifestCache | undefined,
  wanted: EntryFilter | null = null,
): Promise<PlannedFile[]> {
  const entries =
    wanted !== null && cache === undefined
      ? await readMatching(io, metadata, manifest, wanted)
      : (await readManifest(io, metadata, manifest, cache)).filter(
          (entry) => isLive(entry) && wanted?.mayMatch(entry.file) !== false,
        );
  return entries.map((entry) => plannedFile(entry, manifest));
}

/** A file with the manifest that lists it. */
export function plannedFile(
  { file, snapshotId, sequenceNumber, fileSequenceNumber }: ManifestEntry,
  manifest: ManifestFile,
): PlannedFile {
  return { file, snapshotId, sequenceNumber, fileSequenceNumber, manifestPath: manifest.path };
}
