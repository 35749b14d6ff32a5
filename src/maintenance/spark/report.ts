import {
  currentSchema,
  type DataFile,
  type FileIO,
  type LoadedTable,
  type ManifestFile,
  partitionPath,
  readManifest,
  readManifestList,
  type Snapshot,
  snapshotById,
  specById,
} from "../../../table-format/index.ts";
import type { MaintenanceContext } from "../../commit/maintenance-commit.ts";
import type { CompactedGroup } from "../compact/compact.ts";
import { headPlan } from "../compact/head.ts";
import { bytesOf, type CompactPlan } from "../compact/plan.ts";
import type { ManifestRewriteReport } from "../rewrite-manifests/rewrite-manifests.ts";
import { sparkArrangementText } from "./compact.ts";

/** The snapshots that an application has committed to a table, in order. What an expiry has taken out since is not among them. */
export function snapshotsOfApplication({ metadata }: LoadedTable, applicationId: string): Snapshot[] {
  return metadata.snapshots.filter(({ summary }) => summary.get("app-id") === applicationId);
}

/**
 * What Spark's compaction did, a line a commit as our own engine tells it, counted in the manifests; and the planned groups of which it
 * has left files in the table, with why.
 *
 * @param now the table after it @param startedMs when the call began
 */
export async function compactionReport(
  context: MaintenanceContext,
  plan: CompactPlan,
  now: LoadedTable,
  applicationId: string,
  startedMs: number,
): Promise<CompactedGroup[]> {
  const arrangement = sparkArrangementText(plan);
  const report: CompactedGroup[] = [];
  let since = startedMs;
  for (const snapshot of snapshotsOfApplication(now, applicationId)) {
    const { before, after } = await dataFilesOf(context.io, now, snapshot);
    const partitions = new Set([...before, ...after].map((file) => partitionOf(now, file)));
    const [partition = ""] = partitions.size === 1 ? partitions : [];
    const durationMs = Math.max(0, Number(snapshot.timestampMs) - since);
    since = Number(snapshot.timestampMs);
    report.push({
      ...{ partition, arrangement, snapshotId: snapshot.snapshotId, skipped: null, durationMs, orderKept: false },
      ...{
        filesBefore: before.length,
        bytesBefore: sizeOf(before),
        filesAfter: after.length,
        bytesAfter: sizeOf(after),
      },
      rows: after.reduce((sum, { recordCount }) => sum + recordCount, 0n),
    });
  }
  const head = await headPlan(context, now);
  const present = new Set(head.dataFiles.map(({ file }) => file.filePath));
  for (const { partition, inputs } of plan.groups) {
    const left = inputs.filter(({ live }) => present.has(live.file.filePath));
    if (left.length === 0) continue;
    report.push({
      ...{ partition, arrangement, snapshotId: null, durationMs: 0, orderKept: null, rows: 0n },
      skipped: "Spark left them as they are",
      ...{ filesBefore: left.length, bytesBefore: bytesOf(left), filesAfter: 0, bytesAfter: 0n },
    });
  }
  return report;
}

/** What Spark's rewrite of manifests did: those that its snapshot lists in place of its parent's. */
export async function manifestsReport(
  io: FileIO,
  now: LoadedTable,
  applicationId: string,
): Promise<ManifestRewriteReport> {
  const snapshot = snapshotsOfApplication(now, applicationId).at(-1);
  const parent = snapshot?.parentSnapshotId == null ? null : snapshotById(now.metadata, snapshot.parentSnapshotId);
  if (snapshot === undefined || parent === null) {
    return { snapshotId: null, manifestsBefore: 0, bytesBefore: 0n, manifestsAfter: 0, bytesAfter: 0n };
  }
  const [old, present] = await Promise.all([readManifestList(io, parent), readManifestList(io, snapshot)]);
  const gone = without(old, present);
  const come = without(present, old);
  return {
    snapshotId: snapshot.snapshotId,
    manifestsBefore: gone.length,
    bytesBefore: lengthOf(gone),
    manifestsAfter: come.length,
    bytesAfter: lengthOf(come),
  };
}

async function dataFilesOf(
  io: FileIO,
  { metadata }: LoadedTable,
  snapshot: Snapshot,
): Promise<{ before: DataFile[]; after: DataFile[] }> {
  const before: DataFile[] = [];
  const after: DataFile[] = [];
  for (const manifest of await readManifestList(io, snapshot)) {
    if (manifest.content !== "data" || manifest.addedSnapshotId !== snapshot.snapshotId) continue;
    for (const entry of await readManifest(io, metadata, manifest)) {
      if (entry.snapshotId !== snapshot.snapshotId) continue;
      if (entry.status === "deleted") before.push(entry.file);
      else if (entry.status === "added") after.push(entry.file);
    }
  }
  return { before, after };
}

function partitionOf({ metadata }: LoadedTable, { specId, partition }: DataFile): string {
  return partitionPath(specById(metadata, specId), currentSchema(metadata), partition);
}

function without(some: readonly ManifestFile[], others: readonly ManifestFile[]): ManifestFile[] {
  const paths = new Set(others.map(({ path }) => path));
  return some.filter(({ path }) => !paths.has(path));
}

function sizeOf(files: readonly DataFile[]): bigint {
  return files.reduce((sum, { fileSizeBytes }) => sum + fileSizeBytes, 0n);
}

function lengthOf(manifests: readonly ManifestFile[]): bigint {
  return manifests.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0n);
}
