import { FrazilError } from "../errors.ts";
import { mapConcurrently } from "../io/concurrent-map.ts";
import type { FileIO } from "../io/file-io.ts";
import { DELETE_FILES_AT_ONCE } from "../limits.ts";
import type { DataFile, LiveFile } from "../manifest/data-file.ts";
import { contentKey, scopedDataFile } from "../manifest/delete-scope.ts";
import { hasLiveFiles, type ManifestFile } from "../manifest/manifest-file.ts";
import { readManifestList } from "../manifest/manifest-list.ts";
import { type ManifestCache, schemasCurrentFirst } from "../manifest/manifest-reader.ts";
import { partitionTypes } from "../manifest/partition-avro.ts";
import { mayHoldPartition } from "../manifest/partition-match.ts";
import { specById } from "../metadata/refs.ts";
import type { Snapshot, TableMetadata } from "../metadata/table-metadata.ts";
import { RoaringBitmap } from "../puffin/roaring.ts";
import { deletedPositions } from "./deleted-positions.ts";
import { equalityDeletes, matchEqualityDeletes } from "./equality-deletes.ts";
import { liveFiles, matchDeletes } from "./plan.ts";
import { readPositionDeletes } from "./position-deletes.ts";

/** Which rows differ between two snapshots: the net change, however many commits lie between. */
export interface ChangelogPlan {
  /** Live in the later snapshot and not in the earlier one. A file appears once at most in each list. */
  readonly inserted: readonly ChangedRows[];
  /** Live in the earlier snapshot and not in the later one. */
  readonly deleted: readonly ChangedRows[];
  /** Either snapshot has equality deletes. What they hide is accounted for. */
  readonly hasEqualityDeletes: boolean;
}

/** Rows of one data file. */
export interface ChangedRows {
  readonly file: DataFile;
  /** Null: every row. */
  readonly positions: RoaringBitmap | null;
}

/**
 * Compares two snapshots by their manifests and delete files. Manifests that both share are read only for delete files and to look
 * up data files whose deletes changed. Data files are opened only where equality deletes apply, and then for the keys alone: those
 * of one side, and those that both share when a delete file of the difference may hide rows of them. The earlier need not be an
 * ancestor of the later.
 *
 * A row that was moved to another file (compaction, copy on write) stands in both lists.
 * @param from null: the empty table
 */
export async function diffSnapshots(
  io: FileIO,
  metadata: TableMetadata,
  from: Snapshot | null,
  to: Snapshot,
  cache?: ManifestCache,
): Promise<ChangelogPlan> {
  const manifests = {
    from: from === null ? [] : (await readManifestList(io, from)).filter(hasLiveFiles),
    to: (await readManifestList(io, to)).filter(hasLiveFiles),
  };
  const known = new Set(manifests.from.map((manifest) => manifest.path));
  const kept = new Set(manifests.to.map((manifest) => manifest.path).filter((path) => known.has(path)));
  const read = (which: readonly ManifestFile[]) => liveFiles(io, metadata, which, cache);
  const side = async (all: readonly ManifestFile[]) => ({
    data: await read(all.filter((manifest) => manifest.content === "data" && !kept.has(manifest.path))),
    deletes: await read(all.filter((manifest) => manifest.content === "deletes")),
  });
  const before = await side(manifests.from);
  const after = await side(manifests.to);

  const removed = without(before.data, after.data);
  const added = without(after.data, before.data);
  const changedDeletes = [...without(before.deletes, after.deletes), ...without(after.deletes, before.deletes)];
  const targets = await targetsOf(io, changedDeletes);
  const isHidden = (files: readonly LiveFile[]) => matchEqualityDeletes(metadata, files, changedDeletes);
  for (const { file } of [...removed, ...added]) targets.delete(file.filePath);
  // As the later snapshot lists them: the upgrade to version 3 gave row ids to files that had none.
  const shared = without(after.data, added);
  const hiddenShared = isHidden(shared);
  const moved = shared.filter(({ file }) => targets.has(file.filePath) || hiddenShared.has(file.filePath));
  for (const { file } of moved) targets.delete(file.filePath);
  const keptData = manifests.to.filter((manifest) => manifest.content === "data" && kept.has(manifest.path));
  const surviving = [...moved, ...(await findFiles(keptData, targets, changedDeletes, metadata, read, isHidden))];

  const deadBefore = deadRows(io, metadata, [...removed, ...surviving], before.deletes);
  const deadAfter = deadRows(io, metadata, [...added, ...surviving], after.deletes);
  // All at once: vectors asked for together are read together.
  const [deleted, inserted, changed] = await Promise.all([
    Promise.all(removed.map(async (each) => liveRows(each, await deadBefore(each)))),
    Promise.all(added.map(async (each) => liveRows(each, await deadAfter(each)))),
    Promise.all(
      surviving.map(async (each) => {
        const [dead, now] = await Promise.all([deadBefore(each), deadAfter(each)]);
        const { file } = each;
        return { died: { file, positions: now.difference(dead) }, revived: { file, positions: dead.difference(now) } };
      }),
    ),
  ]);
  return {
    inserted: [...inserted, ...changed.map(({ revived }) => revived)].filter(hasRows),
    deleted: [...deleted, ...changed.map(({ died }) => died)].filter(hasRows),
    hasEqualityDeletes: [...before.deletes, ...after.deletes].some(({ file }) => file.content === "equality-deletes"),
  };
}

/** Which rows of the data files their deletes take. */
function deadRows(
  io: FileIO,
  metadata: TableMetadata,
  dataFiles: readonly LiveFile[],
  deletes: readonly LiveFile[],
): (live: LiveFile) => Promise<RoaringBitmap> {
  const byPosition = matchDeletes(dataFiles, deletes);
  const byEquality = matchEqualityDeletes(metadata, dataFiles, deletes);
  const positions = deletedPositions(io);
  const equality = equalityDeletes(io, metadata);
  return async ({ file }) => {
    const dead = positions.of(file, byPosition.get(file.filePath) ?? []);
    const equal = byEquality.get(file.filePath);
    return equal === undefined ? dead : (await dead).union(await equality.of(file, equal));
  };
}

function without<T extends LiveFile>(files: readonly T[], others: readonly LiveFile[]): T[] {
  const keys = new Set(others.map(({ file }) => contentKey(file)));
  return files.filter(({ file }) => !keys.has(contentKey(file)));
}

/** Paths of the data files that delete files are about. */
async function targetsOf(io: FileIO, deletes: readonly LiveFile[]): Promise<Set<string>> {
  const positionDeletes = deletes.filter(({ file }) => file.content === "position-deletes");
  const paths = await mapConcurrently(positionDeletes, DELETE_FILES_AT_ONCE, async ({ file }) => {
    const path = scopedDataFile(file);
    return path === null ? [...(await readPositionDeletes(io, file)).keys()] : [path];
  });
  return new Set(paths.flat());
}

/**
 * Looks data files up in manifests: those of the given paths, in manifests of the partitions that their delete files name, until all
 * are found; and those that `isHidden` gives for equality deletes, which may lie in any.
 */
async function findFiles<T extends LiveFile>(
  manifests: readonly ManifestFile[],
  paths: ReadonlySet<string>,
  deletes: readonly LiveFile[],
  metadata: TableMetadata,
  read: (manifests: readonly ManifestFile[]) => Promise<T[]>,
  isHidden: (files: readonly T[]) => ReadonlyMap<string, unknown>,
): Promise<T[]> {
  const found: T[] = [];
  const missing = new Set(paths);
  const schemas = schemasCurrentFirst(metadata);
  const byEquality = deletes.some(({ file }) => file.content === "equality-deletes");
  for (const manifest of manifests) {
    // A path that is not found belongs to a data file that is gone: its deletes are about nothing.
    if (missing.size === 0 && !byEquality) break;
    const types = partitionTypes(specById(metadata, manifest.specId), schemas);
    const mayHold = deletes.some(
      ({ file }) => file.specId === manifest.specId && mayHoldPartition(manifest, types, file.partition),
    );
    if (!mayHold && !byEquality) continue;
    const files = await read([manifest]);
    const hidden = byEquality ? isHidden(files) : new Map();
    for (const each of files) {
      const { filePath } = each.file;
      if (!missing.delete(filePath) && !hidden.has(filePath)) continue;
      found.push(each);
    }
  }
  return found;
}

function liveRows({ file }: LiveFile, dead: RoaringBitmap): ChangedRows {
  if (dead.cardinality === 0) return { file, positions: null };
  if (file.recordCount > 0xffffffffn) {
    const message = `${file.filePath}: expected rows below 2^32, found ${file.recordCount}`;
    throw new FrazilError("unsupported", "POSITION", message);
  }
  return { file, positions: RoaringBitmap.range(Number(file.recordCount)).difference(dead) };
}

function hasRows({ file, positions }: ChangedRows): boolean {
  return positions === null ? file.recordCount > 0n : positions.cardinality > 0;
}
