import { FrazilError } from "../errors.ts";
import type { DataFile, LiveFile } from "../manifest/data-file.ts";
import { ancestors, currentSnapshot, isAncestor, snapshotById } from "../metadata/refs.ts";
import type { Snapshot, TableMetadata } from "../metadata/table-metadata.ts";
import type { TableUpdate } from "../metadata/updates.ts";
import { type FileFilter, partitionsOf } from "./file-filter.ts";
import type { OperationAttempt, TableOperation } from "./operation.ts";
import { REPLACE_PARTITIONS } from "./replace-partitions.ts";
import { setHead, snapshotUpdates } from "./snapshot-operation.ts";
import { ownEntries } from "./validation-history.ts";

const WAP_ID = "wap.id";
const PUBLISHED_WAP_ID = "published-wap-id";
const SOURCE_SNAPSHOT_ID = "source-snapshot-id";

/**
 * Brings the change of a snapshot that is not on `main` to `main` (Java's `cherrypick`). Where the snapshot's parent is the head,
 * `main` moves on to the snapshot itself. Else appends are applied anew, and dynamic partition overwrites whose partitions nobody has
 * changed since; anything else is refused. A snapshot, or a WAP id, is published once.
 *
 * The commit throws `data`, codes `SNAPSHOT_NOT_FOUND`, `NOT_PICKABLE`, `ALREADY_PICKED`, `DUPLICATE_WAP_ID`; `conflict`, codes
 * `CONFLICTING_DATA`, `HISTORY_UNKNOWN`, `FILE_NOT_LIVE`.
 */
export function cherryPick(snapshotId: bigint): TableOperation {
  return {
    name: "cherry-pick",
    async updates(attempt) {
      const { base } = attempt;
      const picked = snapshotById(base, snapshotId);
      if (picked === null) throw refused("SNAPSHOT_NOT_FOUND", `the table does not hold snapshot ${snapshotId}`);
      checkNotPicked(base, picked);
      checkWapId(base, picked);
      if (picked.parentSnapshotId === base.currentSnapshotId) return [setHead(base, "main", snapshotId)];
      return applied(attempt, picked);
    },
  };
}

async function applied(attempt: OperationAttempt, picked: Snapshot): Promise<TableUpdate[]> {
  const { base } = attempt;
  const isOverwrite =
    picked.summary.get("operation") === "overwrite" && picked.summary.get(REPLACE_PARTITIONS) === "true";
  if (!isOverwrite && picked.summary.get("operation") !== "append") throw notPickable(picked);
  const entries = await ownEntries(attempt, base, picked, "data");
  const added = entries.filter(({ status }) => status === "added").map(({ file }): DataFile => file);
  const removed: LiveFile[] = isOverwrite ? entries.filter(({ status }) => status === "deleted") : [];
  if (isOverwrite) await checkPartitionsUnchanged(attempt, picked, partitionsOf(added));
  const wapId = picked.summary.get(WAP_ID);
  const summary = new Map([[SOURCE_SNAPSHOT_ID, String(picked.snapshotId)]]);
  if (wapId !== undefined && wapId !== "") summary.set(PUBLISHED_WAP_ID, wapId);
  return snapshotUpdates(
    attempt,
    {},
    isOverwrite ? "overwrite" : "append",
    { addedDataFiles: added, removedDataFiles: removed },
    summary,
  );
}

/** `validateReplacedPartitions`: since the picked snapshot's parent nobody may have added files to its partitions. */
async function checkPartitionsUnchanged(
  attempt: OperationAttempt,
  picked: Snapshot,
  replaced: FileFilter,
): Promise<void> {
  const { base } = attempt;
  const current = base.currentSnapshotId;
  if (current === null) return;
  const parent = picked.parentSnapshotId;
  if (parent !== null && !isAncestor(base, parent, current)) {
    const message = `snapshot ${picked.snapshotId} overwrites partitions on a state that main does not come from`;
    throw refused("NOT_PICKABLE", message);
  }
  for (const snapshot of ancestors(base, current)) {
    if (snapshot.snapshotId === parent) return;
    const entries = await ownEntries(attempt, base, snapshot, "data");
    const changed = entries.find(({ status, file }) => status === "added" && replaced.mightMatch(file));
    if (changed === undefined) continue;
    throw new FrazilError(
      "conflict",
      "CONFLICTING_DATA",
      `snapshot ${picked.snapshotId} replaces partitions that have changed since: ${changed.file.filePath} was added`,
    );
  }
}

/** `validateNonAncestor` */
function checkNotPicked(base: TableMetadata, { snapshotId }: Snapshot): void {
  for (const ancestor of history(base)) {
    if (ancestor.snapshotId === snapshotId) {
      throw refused("ALREADY_PICKED", `snapshot ${snapshotId} is on main already`);
    }
    if (ancestor.summary.get(SOURCE_SNAPSHOT_ID) === String(snapshotId)) {
      throw refused("ALREADY_PICKED", `snapshot ${snapshotId} was picked already, as ${ancestor.snapshotId}`);
    }
  }
}

/** `WapUtil.validateWapPublish` */
function checkWapId(base: TableMetadata, { summary }: Snapshot): void {
  const wapId = summary.get(WAP_ID);
  if (wapId === undefined || wapId === "") return;
  for (const ancestor of history(base)) {
    if (ancestor.summary.get(WAP_ID) !== wapId && ancestor.summary.get(PUBLISHED_WAP_ID) !== wapId) continue;
    throw refused(
      "DUPLICATE_WAP_ID",
      `the change with the WAP id ${wapId} was published already, as ${ancestor.snapshotId}`,
    );
  }
}

function history(base: TableMetadata): Iterable<Snapshot> {
  const head = currentSnapshot(base);
  return head === null ? [] : ancestors(base, head.snapshotId);
}

function notPickable({ snapshotId, summary }: Snapshot): FrazilError {
  const found = summary.get("operation");
  return refused(
    "NOT_PICKABLE",
    `snapshot ${snapshotId} is neither an append nor an overwrite of partitions, and main has moved on from its parent: found ${found}`,
  );
}

function refused(code: string, message: string): FrazilError {
  return new FrazilError("data", code, message);
}
