import type { FileIO } from "../io/file-io.ts";
import { isLive, type ManifestEntry, type ManifestFile } from "../manifest/manifest-file.ts";
import { type ManifestCache, readManifest } from "../manifest/manifest-reader.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import type { PlannedFile } from "../transaction/manifest-filter.ts";

/** The live files that a manifest lists. */
export async function liveFilesOf(
  io: FileIO,
  metadata: TableMetadata,
  manifest: ManifestFile,
  cache?: ManifestCache,
): Promise<PlannedFile[]> {
  const entries = await readManifest(io, metadata, manifest, cache);
  return entries.filter(isLive).map((entry) => plannedFile(entry, manifest));
}

/** A file with the manifest that lists it. */
export function plannedFile(
  { file, snapshotId, sequenceNumber, fileSequenceNumber }: ManifestEntry,
  manifest: ManifestFile,
): PlannedFile {
  return { file, snapshotId, sequenceNumber, fileSequenceNumber, manifestPath: manifest.path };
}
