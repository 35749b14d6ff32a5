import { mapConcurrently } from "../io/concurrent-map.ts";
import { MANIFESTS_AT_ONCE } from "../limits.ts";
import type { DataFile } from "../manifest/data-file.ts";
import { hasLiveFiles, isLive, type ManifestContent, type ManifestFile } from "../manifest/manifest-file.ts";
import { readManifestList } from "../manifest/manifest-list.ts";
import { readManifest } from "../manifest/manifest-reader.ts";
import type { Snapshot } from "../metadata/table-metadata.ts";
import type { PlannedFile } from "./manifest-filter.ts";
import type { OperationAttempt } from "./operation.ts";

/**
 * The live files of a snapshot that are wanted, each with the manifest that lists it.
 * @param mayHold leaves out manifests that need not be read
 */
export async function findLiveFiles(
  { context, base }: Pick<OperationAttempt, "context" | "base">,
  head: Snapshot | null,
  content: ManifestContent,
  isWanted: (file: DataFile) => boolean,
  mayHold: (manifest: ManifestFile) => boolean = () => true,
): Promise<PlannedFile[]> {
  if (head === null) return [];
  const manifests = (await readManifestList(context.io, head)).filter(
    (manifest) => manifest.content === content && hasLiveFiles(manifest) && mayHold(manifest),
  );
  const lists = await mapConcurrently(manifests, MANIFESTS_AT_ONCE, async (manifest) => {
    const entries = await readManifest(context.io, base, manifest, context.manifests);
    return entries
      .filter((entry) => isLive(entry) && isWanted(entry.file))
      .map(({ file, snapshotId, sequenceNumber, fileSequenceNumber }): PlannedFile => {
        return { file, snapshotId, sequenceNumber, fileSequenceNumber, manifestPath: manifest.path };
      });
  });
  return lists.flat();
}
