import type { LoadedTable } from "../catalog/catalog.ts";
import { checkMayDelete } from "../catalog/purge.ts";
import { FrazilError } from "../errors.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import type { TableUpdate } from "../metadata/updates.ts";
import { commitOperations } from "./commit.ts";
import type { TableOperation, WriteContext } from "./operation.ts";
import { keepBranch, reachedByBranches, refExpired, type SnapshotRetention, tableRetention } from "./retention.ts";
import { unusedLayouts } from "./unused-layouts.ts";
import {
  deleteUnreachable,
  inOwnFolders,
  NO_UNREACHABLE_FILES,
  type UnreachableFiles,
  unreachableFiles,
} from "./unreachable-files.ts";

export interface ExpireSnapshots {
  /** Snapshots before this time go, milliseconds since 1970 UTC; default by the table's `history.expire.max-snapshot-age-ms`. */
  readonly olderThanMs?: bigint | undefined;
  /** Snapshots of each branch at least; default the table's `history.expire.min-snapshots-to-keep`. */
  readonly retainLast?: number | undefined;
  /** Snapshots that go whatever their age. */
  readonly snapshotIds?: readonly bigint[] | undefined;
  /** Takes away schemas and partition specs that no snapshot uses any more, too; default false. */
  readonly cleanExpiredMetadata?: boolean | undefined;
  /** Deletes the files that nothing reaches any more; default true. */
  readonly cleanExpiredFiles?: boolean | undefined;
}

export interface ExpiredSnapshots {
  readonly table: LoadedTable;
  readonly snapshotIds: readonly bigint[];
  /** Files that only those snapshots reached, and that lie in the table's own folders. */
  readonly files: UnreachableFiles;
  /** Files among them that the store would not delete. */
  readonly notDeleted: readonly string[];
}

/**
 * Takes snapshots out of a table as its retention policy says, refs that are too old as well, and then deletes the files that
 * nothing reaches any more (Java's `expireSnapshots`). In that order: a crash in between leaves garbage, never a snapshot without its
 * files. Files outside of the table's folders stay: they were brought by whoever knows to whom else they belong.
 *
 * @throws FrazilError as `commitOperations`; `config`, code `GC_DISABLED`; `data`, code `SNAPSHOT_REFERENCED`.
 */
export async function expireSnapshots(
  context: WriteContext,
  table: LoadedTable,
  expire: ExpireSnapshots = {},
): Promise<ExpiredSnapshots> {
  let before = table.metadata;
  const operation = removeSnapshots(expire);
  const after = await commitOperations(context, table, {
    name: operation.name,
    updates: (attempt) => {
      before = attempt.base;
      return operation.updates(attempt);
    },
  });
  const left = new Set(after.metadata.snapshots.map(({ snapshotId }) => snapshotId));
  const gone = before.snapshots.filter(({ snapshotId }) => !left.has(snapshotId));
  const snapshotIds = gone.map(({ snapshotId }) => snapshotId);
  if (gone.length === 0 || expire.cleanExpiredFiles === false) {
    return { table: after, snapshotIds, files: NO_UNREACHABLE_FILES, notDeleted: [] };
  }
  const files = inOwnFolders(after.metadata, await unreachableFiles(context.io, before, gone, after.metadata));
  return { table: after, snapshotIds, files, notDeleted: await deleteUnreachable(context.io, files) };
}

/**
 * The change of metadata alone, to be committed with others; no file is deleted.
 * @throws FrazilError kind `data`, code `RETAIN_LAST`
 */
export function removeSnapshots(expire: ExpireSnapshots = {}): TableOperation {
  if (expire.retainLast !== undefined && !(expire.retainLast >= 1)) {
    const message = `expected at least 1 snapshot to retain, found ${expire.retainLast}`;
    throw new FrazilError("data", "RETAIN_LAST", message);
  }
  return {
    name: "expire snapshots",
    updates: async (attempt) => {
      const { base, ident } = attempt;
      checkMayDelete({ ident, metadata: base });
      const own = tableRetention(base);
      const nowMs = BigInt(attempt.context.nowMs());
      const retention = {
        nowMs,
        olderThanMs: expire.olderThanMs ?? nowMs - own.maxSnapshotAgeMs,
        minSnapshotsToKeep: expire.retainLast ?? own.minSnapshotsToKeep,
      };
      const updates = removals(base, retention, expire.snapshotIds ?? []);
      if (expire.cleanExpiredMetadata !== true) return updates;
      return [...updates, ...(await unusedLayouts(attempt, updates))];
    },
  };
}

/** As Java's `RemoveSnapshots`: heads of kept refs stay, and what is neither kept nor young and out of reach goes. */
function removals(metadata: TableMetadata, retention: SnapshotRetention, explicit: readonly bigint[]): TableUpdate[] {
  const kept = new Set<bigint>();
  const refs: string[] = [];
  const heads = new Map<bigint, string>();
  for (const [name, ref] of metadata.refs) {
    if (refExpired(metadata, name, ref, retention.nowMs)) {
      refs.push(name);
      continue;
    }
    heads.set(ref.snapshotId, name);
    kept.add(ref.snapshotId);
    if (ref.type === "branch") keepBranch(metadata, ref, retention, kept);
  }
  for (const id of explicit) {
    const name = heads.get(id);
    if (name === undefined) continue;
    throw new FrazilError("data", "SNAPSHOT_REFERENCED", `cannot expire snapshot ${id}: ref ${name} names it`);
  }
  const wanted = new Set(explicit);
  const reached = reachedByBranches({
    ...metadata,
    refs: new Map([...metadata.refs].filter(([name]) => !refs.includes(name))),
  });
  const snapshotIds = metadata.snapshots
    .filter(({ snapshotId, timestampMs }) => {
      if (wanted.has(snapshotId)) return true;
      return !kept.has(snapshotId) && (reached.has(snapshotId) || timestampMs < retention.olderThanMs);
    })
    .map(({ snapshotId }) => snapshotId);
  return [
    ...refs.map((name) => ({ action: "remove-snapshot-ref" as const, name })),
    ...(snapshotIds.length === 0 ? [] : [{ action: "remove-snapshots" as const, snapshotIds }]),
  ];
}
