import { ancestors, type Snapshot, type TableMetadata } from "../../table-format/index.ts";
import { readStamp } from "./stamp.ts";

/**
 * The newest snapshot of a branch that holds nothing of a later checkpoint of a pipeline; those of others count with what they stand on.
 * Null where the branch has nothing of the checkpoint or before.
 *
 * @param head what the branch names, if it is there
 */
export function snapshotAtCheckpoint(
  metadata: TableMetadata,
  head: bigint | null | undefined,
  pipeline: string,
  checkpoint: bigint,
): Snapshot | null {
  let newest: Snapshot | null = null;
  for (const snapshot of head == null ? [] : ancestors(metadata, head)) {
    newest ??= snapshot;
    const stamp = readStamp(snapshot);
    if (stamp?.pipeline !== pipeline) continue;
    if (stamp.checkpoint <= checkpoint) return newest;
    newest = null;
  }
  return null;
}
