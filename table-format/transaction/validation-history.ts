import { FrazilError } from "../errors.ts";
import { mapConcurrently } from "../io/concurrent-map.ts";
import { MANIFESTS_AT_ONCE } from "../limits.ts";
import type { EntryStatus, ManifestContent, ManifestEntry } from "../manifest/manifest-file.ts";
import { readManifestList } from "../manifest/manifest-list.ts";
import { readManifest } from "../manifest/manifest-reader.ts";
import { ancestors, isAncestor } from "../metadata/refs.ts";
import type { Snapshot, TableMetadata } from "../metadata/table-metadata.ts";
import type { OperationAttempt } from "./operation.ts";
import type { ValidationRange } from "./snapshot-operation.ts";
import type { Operation } from "./snapshot-producer.ts";

/**
 * The snapshots of others that were committed to a branch since an operation started, newest first.
 * @throws FrazilError kind `conflict`, code `HISTORY_UNKNOWN`, when the starting snapshot is no ancestor of the branch: expiry cut the
 *   history in between, or the branch was rolled back.
 */
export function snapshotsSince(attempt: OperationAttempt, { head, startingSnapshotId }: ValidationRange): Snapshot[] {
  const found: Snapshot[] = [];
  if (head === null || head.snapshotId === startingSnapshotId) return found;
  let last: Snapshot | null = null;
  for (const snapshot of ancestors(attempt.base, head.snapshotId)) {
    if (snapshot.snapshotId === startingSnapshotId) break;
    last = snapshot;
    if (!attempt.ownSnapshotIds.has(snapshot.snapshotId)) found.push(snapshot);
  }
  if (last !== null && last.parentSnapshotId !== startingSnapshotId) {
    const message = `expected snapshot ${startingSnapshotId} in the history of ${head.snapshotId}, found ${last.parentSnapshotId} before ${last.snapshotId}`;
    throw new FrazilError("conflict", "HISTORY_UNKNOWN", message, {
      hint: "the snapshot has expired or was rolled back; load the table again and repeat the change",
    });
  }
  return found;
}

/** Entries of one content that snapshots of some operations wrote themselves since an operation started. */
export async function entriesSince(
  attempt: OperationAttempt,
  range: ValidationRange,
  content: ManifestContent,
  operations: readonly Operation[],
  isWanted: (entry: ManifestEntry) => boolean,
): Promise<ManifestEntry[]> {
  const found: ManifestEntry[] = [];
  for (const snapshot of snapshotsSince(attempt, range)) {
    if (!operations.includes(snapshot.summary.get("operation") as Operation)) continue;
    found.push(...(await ownEntries(attempt, attempt.base, snapshot, content)).filter(isWanted));
  }
  return found;
}

/** What a snapshot itself added and deleted: entries of its own manifests that bear its id. */
export async function ownEntries(
  { context }: Pick<OperationAttempt, "context">,
  metadata: TableMetadata,
  snapshot: Snapshot,
  content: ManifestContent,
): Promise<ManifestEntry[]> {
  const { snapshotId } = snapshot;
  const list = await readManifestList(context.io, snapshot);
  const own = list.filter((manifest) => manifest.content === content && manifest.addedSnapshotId === snapshotId);
  const read = await mapConcurrently(own, MANIFESTS_AT_ONCE, (manifest) =>
    readManifest(context.io, metadata, manifest, context.manifests),
  );
  const changed: readonly EntryStatus[] = ["added", "deleted"];
  return read.flat().filter((entry) => entry.snapshotId === snapshotId && changed.includes(entry.status));
}

/** @throws FrazilError kind `conflict`, code `HISTORY_UNKNOWN`, when the starting snapshot is not among the ancestors of the branch. */
export function checkStartIsAncestor({ base }: OperationAttempt, { head, startingSnapshotId }: ValidationRange): void {
  if (head === null || startingSnapshotId === null || isAncestor(base, startingSnapshotId, head.snapshotId)) return;
  const message = `snapshot ${startingSnapshotId} is not an ancestor of ${head.snapshotId}`;
  throw new FrazilError("conflict", "HISTORY_UNKNOWN", message, {
    hint: "the snapshot has expired or was rolled back; load the table again and repeat the change",
  });
}
