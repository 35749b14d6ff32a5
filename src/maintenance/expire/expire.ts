import {
  checkMayDelete,
  deleteUnreachable,
  identText,
  inOwnFolders,
  type LoadedTable,
  NO_UNREACHABLE_FILES,
  type Snapshot,
  snapshotById,
  type TableMetadata,
  type UnreachableFiles,
  unlessGone,
  unreachableFiles,
} from "../../../table-format/index.ts";
import { commitExpiry } from "../../commit/expire-commit.ts";
import { LedgerStore } from "../../commit/ledger.ts";
import type { MaintenanceContext } from "../../commit/maintenance-commit.ts";
import { pipelineOfTag } from "../../commit/names.ts";
import { readStamp, type Stamp } from "../../commit/stamp.ts";
import { listConsumers } from "../../core/consumer-state.ts";
import { CONSUMER_HOLDS_MS } from "../../core/limits.ts";
import { heldSnapshots } from "../../core/snapshot-holds.ts";
import { expiredAt, type Expired, keepDownTo, type RetentionPolicy } from "./retention.ts";

export interface ExpireContext extends MaintenanceContext {
  readonly warehouseLocation: string;
}

export interface ExpirePlan {
  readonly table: LoadedTable;
  readonly policy: RetentionPolicy;
  readonly expired: Expired;
  /** What would be deleted if nobody committed meanwhile. */
  readonly files: UnreachableFiles;
  /** Files outside the table's own folders that only those snapshots reach, which are left. */
  readonly filesElsewhere: number;
}

export interface ExpireReport {
  readonly snapshots: number;
  readonly refs: number;
  readonly snapshotsLeft: number;
  readonly files: UnreachableFiles;
  /** Files that the store would not delete; they are garbage from now on. */
  readonly notDeleted: readonly string[];
}

/** Which snapshots the policy lets go, and the files that only they reach. Changes nothing. */
export async function planExpiry(
  context: ExpireContext,
  table: LoadedTable,
  policy: RetentionPolicy,
): Promise<ExpirePlan> {
  const { metadata } = table;
  checkMayDelete(table);
  const nowMs = BigInt(context.runtime.clock.nowMs());
  const expired = expiredAt(metadata, policy, await neededByReaders(context, table, policy), nowMs);
  const gone = new Set(expired.snapshotIds);
  const left = withoutSnapshots(metadata, gone);
  const snapshots = metadata.snapshots.filter(({ snapshotId }) => gone.has(snapshotId));
  const unreachable =
    snapshots.length === 0 ? NO_UNREACHABLE_FILES : await unreachableFiles(context.io, metadata, snapshots, left);
  const files = inOwnFolders(metadata, unreachable);
  return { table, policy, expired, files, filesElsewhere: countOf(unreachable) - countOf(files) };
}

/**
 * Takes the snapshots out of the table and then deletes the files that nothing reaches any more. In that order: a crash in between leaves
 * garbage, never a snapshot without its files. What to delete is decided by the metadata as it is after the commit, as a
 * commit, a tag or a branch may have come in between.
 *
 * @returns null when there is nothing left to expire. @throws FrazilError `conflict`, `unavailable`; then no file has been deleted.
 */
export async function runExpiry(context: ExpireContext, plan: ExpirePlan): Promise<ExpireReport | null> {
  const { policy, table } = plan;
  const nowMs = BigInt(context.runtime.clock.nowMs());
  const planned = new Set(plan.expired.snapshotIds);
  const done = await commitExpiry(context, table, async (base) => {
    const { snapshotIds, refs } = expiredAt(base.metadata, policy, await neededByReaders(context, base, policy), nowMs);
    return {
      snapshotIds: snapshotIds.filter((id) => planned.has(id)),
      refs: refs.filter((name) => plan.expired.refs.includes(name)),
    };
  });
  if (done === null) return null;
  const { before, after } = done;
  const left = new Set(after.metadata.snapshots.map(({ snapshotId }) => snapshotId));
  const expired = before.metadata.snapshots.filter(
    ({ snapshotId }) => planned.has(snapshotId) && !left.has(snapshotId),
  );
  // A reader may have said so since: he found the snapshot in the table after that, so it was before the commit.
  const held = await readNow(context, table);
  const isHeld = ({ snapshotId }: Snapshot): boolean => held.snapshotIds.has(snapshotId);
  const stay = { ...after.metadata, snapshots: [...after.metadata.snapshots, ...expired.filter(isHeld)] };
  const going = expired.filter((snapshot) => !isHeld(snapshot));
  const unreachable = await unlessGone(() => unreachableFiles(context.io, before.metadata, going, stay));
  // Others have expired what was left since: what it alone reached is theirs to delete, and the rest is garbage to the cleaner.
  const files = inOwnFolders(after.metadata, unreachable ?? NO_UNREACHABLE_FILES);
  context.runtime.step("expire.delete");
  for (const lapsed of held.lapsed) await context.io.delete(lapsed).catch(() => undefined);
  return {
    snapshots: expired.length,
    refs: [...before.metadata.refs.keys()].filter((name) => !after.metadata.refs.has(name)).length,
    snapshotsLeft: left.size,
    files,
    notDeleted: await deleteUnreachable(context.io, files),
  };
}

/**
 * Snapshots that readers ask for by id: those that are being read, those of cuts, and what consumers have yet to read, with every commit up to now. A consumer that
 * has not moved for longer than it may hold (`frazil.consumer-holds-ms` of the table) keeps nothing.
 */
async function neededByReaders(
  context: ExpireContext,
  table: LoadedTable,
  policy: RetentionPolicy,
): Promise<Set<bigint>> {
  const { metadata, ident } = table;
  const needed = await snapshotsOfCuts(context, table);
  for (const id of (await readNow(context, table)).snapshotIds) needed.add(id);
  const holdsMs = policy.consumerHoldsMs ?? consumerHoldsMs(metadata);
  const sinceMs = BigInt(context.runtime.clock.nowMs()) - holdsMs;
  for (const { state } of await listConsumers(context.io, context.warehouseLocation, ident)) {
    if (state.tableUuid !== metadata.tableUuid || BigInt(state.updatedMs) < sinceMs) continue;
    for (const id of [state.after, ...state.given]) {
      if (id === null) continue;
      needed.add(id);
      keepDownTo(metadata, id, needed);
    }
  }
  return needed;
}

function readNow({ io, warehouseLocation, runtime }: ExpireContext, { metadata }: LoadedTable) {
  return heldSnapshots(io, warehouseLocation, metadata.tableUuid, runtime.clock.nowMs());
}

function consumerHoldsMs({ properties }: TableMetadata): bigint {
  const text = properties.get("frazil.consumer-holds-ms");
  return text !== undefined && /^\d{1,18}$/.test(text) ? BigInt(text) : BigInt(CONSUMER_HOLDS_MS);
}

/**
 * Snapshots that make up the consistent cut of the table's pipelines (`Ledger`): readers of the cut ask for them by id. While a take-over has
 * come to the table and not yet to the ledger, the older process may be about to name what it committed last; and of a table that the ledger
 * does not name, what was opened and fenced tells the next start whether it ought to (`isLateOpening`).
 */
async function snapshotsOfCuts(
  { io, warehouseLocation }: ExpireContext,
  { ident, metadata }: LoadedTable,
): Promise<Set<bigint>> {
  const pinned = new Set<bigint>();
  for (const [name, ref] of metadata.refs) {
    const pipeline = pipelineOfTag(name);
    if (pipeline === null) continue;
    const ledger = await new LedgerStore(io, warehouseLocation, pipeline).read();
    const taken = stampOf(metadata, ref.snapshotId)?.epoch;
    const id = ledger?.ledger.tables.get(identText(ident));
    if (ledger !== null && taken !== undefined && taken > ledger.ledger.epoch) {
      const from = id === undefined ? 0n : ledger.ledger.epoch;
      for (const snapshotId of lastOfEpochs(metadata, pipeline, from)) pinned.add(snapshotId);
    }
    if (id !== undefined) pinned.add(id);
  }
  return pinned;
}

/** A pipeline's last snapshot under each epoch from one on. */
function lastOfEpochs(metadata: TableMetadata, pipeline: string, from: bigint): Iterable<bigint> {
  const last = new Map<bigint, bigint>();
  for (const snapshot of metadata.snapshots) {
    const stamp = readStamp(snapshot);
    if (stamp?.pipeline === pipeline && stamp.epoch >= from) last.set(stamp.epoch, snapshot.snapshotId);
  }
  return last.values();
}

function stampOf(metadata: TableMetadata, id: bigint): Stamp | null {
  const snapshot = snapshotById(metadata, id);
  return snapshot === null ? null : readStamp(snapshot);
}

function withoutSnapshots(metadata: TableMetadata, gone: ReadonlySet<bigint>): TableMetadata {
  return { ...metadata, snapshots: metadata.snapshots.filter(({ snapshotId }) => !gone.has(snapshotId)) };
}

function countOf({ dataFiles, deleteFiles, manifests, manifestLists, statistics }: UnreachableFiles): number {
  return dataFiles.length + deleteFiles.length + manifests.length + manifestLists.length + statistics.length;
}
