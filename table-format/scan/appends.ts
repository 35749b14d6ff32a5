import { FrazilError } from "../errors.ts";
import { TRUE } from "../expression/bound.ts";
import { mapAhead } from "../io/concurrent-map.ts";
import type { FileIO } from "../io/file-io.ts";
import { MANIFESTS_AT_ONCE } from "../limits.ts";
import type { ManifestFile } from "../manifest/manifest-file.ts";
import { readManifestList } from "../manifest/manifest-list.ts";
import { readManifest } from "../manifest/manifest-reader.ts";
import { ancestors, currentSchema, currentSnapshot, snapshotById, snapshotSchema } from "../metadata/refs.ts";
import type { Snapshot, TableMetadata } from "../metadata/table-metadata.ts";
import type { ScannedRows } from "./file-rows.ts";
import { type FileScanTask, filterOf, ofContent, type PlanOptions } from "./file-tasks.ts";
import { plannedFile } from "./live-files.ts";
import { readTasks, type ScanOptions } from "./rows.ts";

/** Snapshots of one line of ancestors. */
export interface SnapshotRange {
  /** The range begins after this snapshot, which may have expired; by default with the oldest ancestor that the table holds. */
  readonly afterSnapshotId?: bigint;
  /** The range begins with this snapshot. */
  readonly fromSnapshotId?: bigint;
  /** The range ends with this snapshot; by default with the table's current one. */
  readonly toSnapshotId?: bigint;
}

/**
 * Plans the reading of what was appended between two snapshots, oldest first: the data files that snapshots with operation `append`
 * added. Other snapshots are passed over, as in Java's incremental append scan: a replace adds no rows, and what an overwrite or a
 * delete did is not told here, nor whether appended rows were deleted since. `diffSnapshots` tells all.
 *
 * @throws FrazilError kind `not-found` when a snapshot is not there, `config` when the range does not begin with an ancestor of its end
 */
export async function* planAppends(
  io: FileIO,
  metadata: TableMetadata,
  range: SnapshotRange,
  options: PlanOptions = {},
): AsyncGenerator<FileScanTask> {
  const snapshots = appendsIn(metadata, range);
  const last = snapshots.at(-1);
  if (last === undefined) return;
  const filter = filterOf(metadata, endOf(metadata, range) ?? last, options);
  for (const snapshot of snapshots) {
    const { snapshotId } = snapshot;
    // A snapshot's own files stand as ADDED in manifests that it wrote itself, whatever it merged into them.
    const own = (await readManifestList(io, snapshot)).filter((each) => each.addedSnapshotId === snapshotId);
    const read = async (manifest: ManifestFile) => {
      const entries = await readManifest(io, metadata, manifest, options.manifests);
      return entries
        .filter((entry) => entry.status === "added" && entry.snapshotId === snapshotId)
        .map((entry) => plannedFile(entry, manifest));
    };
    for await (const files of mapAhead(ofContent(own, "data", filter), MANIFESTS_AT_ONCE, read)) {
      for (const data of files) {
        const residual = filter === null ? TRUE : filter.residualOf(data.file);
        if (residual !== null) yield { data, deletes: [], equalityDeletes: [], residual };
      }
    }
  }
}

/**
 * Reads the rows that were appended between two snapshots; see `planAppends`.
 * @throws FrazilError as `planAppends`, `scanRows`
 */
export async function* scanAppends(
  io: FileIO,
  metadata: TableMetadata,
  range: SnapshotRange,
  options: ScanOptions = {},
): AsyncGenerator<ScannedRows> {
  const end = endOf(metadata, range);
  const schema = options.schema ?? (end === null ? currentSchema(metadata) : snapshotSchema(metadata, end));
  yield* readTasks(io, metadata, planAppends(io, metadata, range, options), schema, options.fields ?? schema.fields);
}

/** Null for a table without snapshots. */
function endOf(metadata: TableMetadata, { toSnapshotId }: SnapshotRange): Snapshot | null {
  if (toSnapshotId === undefined) return currentSnapshot(metadata);
  const end = snapshotById(metadata, toSnapshotId);
  if (end !== null) return end;
  throw new FrazilError("not-found", "SNAPSHOT_NOT_FOUND", `the table holds no snapshot ${toSnapshotId}`);
}

function appendsIn(metadata: TableMetadata, range: SnapshotRange): Snapshot[] {
  const { afterSnapshotId: after, fromSnapshotId: from } = range;
  if (after !== undefined && from !== undefined) {
    const message = `expected one beginning of the range, found afterSnapshotId ${after} and fromSnapshotId ${from}`;
    throw new FrazilError("config", "SNAPSHOT_RANGE", message);
  }
  const end = endOf(metadata, range);
  if (end === null) {
    if (after === undefined && from === undefined) return [];
    throw notAncestor(after ?? from, null);
  }
  const found: Snapshot[] = [];
  let hasBegun = after === undefined && from === undefined;
  for (const snapshot of ancestors(metadata, end.snapshotId)) {
    if (snapshot.snapshotId === after) {
      hasBegun = true;
      break;
    }
    found.push(snapshot);
    if (snapshot.snapshotId === from || (after !== undefined && snapshot.parentSnapshotId === after)) {
      hasBegun = true;
      break;
    }
  }
  if (!hasBegun) throw notAncestor(after ?? from, end);
  return found.filter(({ summary }) => summary.get("operation") === "append").toReversed();
}

function notAncestor(id: bigint | undefined, end: Snapshot | null): FrazilError {
  const message = `expected an ancestor of snapshot ${end?.snapshotId ?? "(none)"} as the beginning, found ${id}`;
  return new FrazilError("config", "SNAPSHOT_RANGE", message, {
    hint: "the snapshot lies on another branch, or the snapshots in between have expired",
  });
}
