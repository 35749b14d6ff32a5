import {
  currentSchema,
  type DataFile,
  type LiveFile,
  type LoadedTable,
  produceSnapshot,
  type Schema,
  type Snapshot,
  type TableChange,
  type TableRequirement,
  type TableUpdate,
} from "../../table-format/index.ts";
import type { TableCounts } from "../core/figures.ts";
import { checkNumbered } from "./commit-errors.ts";
import type { CommitContext } from "./context.ts";
import type { FileNames } from "./names.ts";
import { tagName } from "./names.ts";
import { type Stamp, stampSummary } from "./stamp.ts";

/** The files that a checkpoint adds to and takes from one table. */
export interface FileChanges {
  readonly addedDataFiles: readonly DataFile[];
  readonly removedDataFiles: readonly LiveFile[];
  readonly addedDeleteFiles: readonly DataFile[];
  readonly removedDeleteFiles: readonly LiveFile[];
  /** What they do to the table, for figures; absent: nothing. */
  readonly counts?: TableCounts;
}

/** A snapshot without files: fences, and positions of idle tables. */
export const NO_FILES: FileChanges = {
  addedDataFiles: [],
  removedDataFiles: [],
  addedDeleteFiles: [],
  removedDeleteFiles: [],
};

/** Keeps a ref for ever: without it the table's `history.expire.max-ref-age-ms` could let it expire, and the fence with it. */
export const KEPT_FOR_EVER_MS = 9223372036854775807n;

/** Where manifests are read and written. */
export type SnapshotStore = Pick<CommitContext, "io" | "manifests">;

export interface SnapshotPlan {
  readonly base: LoadedTable;
  /** Generated before the first attempt and kept over all of them: the answer to a lost response. */
  readonly snapshotId: bigint;
  readonly stamp: Stamp;
  /** What the tag must name now; null when the table has none of this pipeline yet. */
  readonly tagSnapshotId: bigint | null;
  readonly files: FileChanges;
  readonly names: FileNames;
  readonly attempt: number;
  readonly nowMs: number;
}

/** Writes the manifests of a snapshot and describes the swap that moves `main` and the pipeline's tag to it, asserting both. */
export async function snapshotChange(store: SnapshotStore, plan: SnapshotPlan): Promise<TableChange> {
  const { base, stamp } = plan;
  const { metadata } = base;
  const snapshot = await stampedSnapshot(store, plan, currentSchema(base.metadata));
  const tag = tagName(stamp.pipeline);
  const requirements: TableRequirement[] = [
    { type: "assert-table-uuid", uuid: metadata.tableUuid },
    { type: "assert-ref-snapshot-id", ref: "main", snapshotId: metadata.currentSnapshotId },
    { type: "assert-ref-snapshot-id", ref: tag, snapshotId: plan.tagSnapshotId },
    { type: "assert-current-schema-id", currentSchemaId: metadata.currentSchemaId },
    { type: "assert-default-spec-id", defaultSpecId: metadata.defaultSpecId },
  ];
  return { ident: base.ident, requirements, updates: refUpdates(snapshot, tag, base) };
}

/** Manifests, manifest list and the snapshot object that carries the stamp. */
export async function stampedSnapshot(store: SnapshotStore, plan: SnapshotPlan, schema: Schema): Promise<Snapshot> {
  checkNumbered(plan.base);
  const { metadata } = plan.base;
  const timestampMs = BigInt(plan.nowMs) > metadata.lastUpdatedMs ? BigInt(plan.nowMs) : metadata.lastUpdatedMs + 1n;
  const { snapshot } = await produceSnapshot(
    store.io,
    metadata,
    {
      snapshotId: plan.snapshotId,
      timestampMs,
      addedDataFiles: [...plan.files.addedDataFiles],
      removedDataFiles: [...plan.files.removedDataFiles],
      addedDeleteFiles: [...plan.files.addedDeleteFiles],
      removedDeleteFiles: [...plan.files.removedDeleteFiles],
      summary: stampSummary(plan.stamp),
      schema,
      ref: "main",
    },
    {
      manifest: (index) => plan.names.manifest(plan.attempt, index),
      manifestList: () => plan.names.manifestList(plan.snapshotId, plan.attempt),
    },
    store.manifests,
  );
  return snapshot;
}

/** Adds the snapshot and moves `main` to it, and the tag where there is one. */
export function refUpdates(snapshot: Snapshot, tag: string | null, base: LoadedTable | null): TableUpdate[] {
  const main = base?.metadata.refs.get("main");
  const { snapshotId } = snapshot;
  const updates: TableUpdate[] = [
    { action: "add-snapshot", snapshot },
    { action: "set-snapshot-ref", name: "main", ref: { ...main, type: "branch", snapshotId } },
  ];
  if (tag === null) return updates;
  return [
    ...updates,
    {
      action: "set-snapshot-ref",
      name: tag,
      ref: { type: "tag", snapshotId, maxRefAgeMs: KEPT_FOR_EVER_MS },
    },
  ];
}
