import { ancestors, type Snapshot, type TableMetadata } from "../../table-format/index.ts";

/** Whether a snapshot only moves rows to other files (Iceberg spec, "Snapshots": `replace`). */
export function movesRows({ summary }: Snapshot): boolean {
  return summary.get("operation") === "replace";
}

/** A fence, or the position of an idle table: pipelines commit such snapshots, and their summaries are to be trusted. */
export function addsNothing({ summary }: Snapshot): boolean {
  return summary.has("ingest.pipe") && summary.get("operation") === "append" && !summary.has("added-data-files");
}

/** Whether the table came to be what it is from snapshot `since` (null: from nothing) by snapshots alone that `holds` is true of. */
export function onlySince(
  metadata: TableMetadata,
  since: bigint | null,
  holds: (snapshot: Snapshot) => boolean,
): boolean {
  const head = metadata.currentSnapshotId;
  if (head === since) return true;
  if (head === null) return false;
  for (const snapshot of ancestors(metadata, head)) {
    if (!holds(snapshot)) return false;
    if (snapshot.parentSnapshotId === since) return true;
  }
  return false;
}

/** Which snapshots a table holds, for messages. @param lineage oldest first */
export function heldText(lineage: readonly Snapshot[]): string {
  const [oldest, newest] = [lineage[0], lineage.at(-1)];
  if (oldest === undefined || newest === undefined) return "it holds no snapshot";
  return `it holds ${lineage.length} from ${snapshotText(oldest)} to ${snapshotText(newest)}`;
}

function snapshotText({ snapshotId, timestampMs }: Snapshot): string {
  return `${snapshotId} (${new Date(Number(timestampMs)).toISOString()})`;
}
