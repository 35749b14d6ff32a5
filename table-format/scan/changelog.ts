import { FrazilError } from "../errors.ts";
import { type BoundExpression, TRUE } from "../expression/bound.ts";
import { limitConcurrency, mapConcurrently } from "../io/concurrent-map.ts";
import type { FileIO } from "../io/file-io.ts";
import { DELETE_FILES_AT_ONCE, SCANNED_FILES_AHEAD } from "../limits.ts";
import type { DataFile, LiveFile } from "../manifest/data-file.ts";
import { scopedDataFile } from "../manifest/delete-scope.ts";
import { hasLiveFiles, type ManifestFile } from "../manifest/manifest-file.ts";
import { readManifestList } from "../manifest/manifest-list.ts";
import type { Snapshot, TableMetadata } from "../metadata/table-metadata.ts";
import { RoaringBitmap } from "../puffin/roaring.ts";
import { positionDeleteIndex } from "./delete-index.ts";
import { deletedPositions } from "./deleted-positions.ts";
import { differingFiles, findDataFiles, findDeletes, listedFiles } from "./differing-files.ts";
import { equalityDeleteIndex, equalityDeletes } from "./equality-deletes.ts";
import { filterOf, ofContent, type PlanOptions } from "./file-tasks.ts";
import { readPositionDeletes } from "./position-deletes.ts";

/** Which rows differ between two snapshots: the net change, however many commits lie between. */
export interface ChangelogPlan {
  /** Live in the later snapshot and not in the earlier one. A file appears once at most in each list. */
  readonly inserted: readonly ChangedRows[];
  /** Live in the earlier snapshot and not in the later one. */
  readonly deleted: readonly ChangedRows[];
  /** Equality deletes may hide rows of the data files that differ. What they hide is accounted for. */
  readonly hasEqualityDeletes: boolean;
}

/** Rows of one data file. */
export interface ChangedRows {
  readonly file: DataFile;
  /** Null: every row. */
  readonly positions: RoaringBitmap | null;
  /** What is left of the filter: wanted are those of the rows of which it is true. */
  readonly residual: BoundExpression;
}

/**
 * Compares two snapshots by their manifests and delete files. Manifests that both share are read for the data files whose deletes changed
 * and for the deletes of data files that differ, where their partitions and sequence numbers let them hold some. Data files are opened
 * only where equality deletes apply, and then for the keys alone: those of one side, and those that both share when a delete file of the
 * difference may hide rows of them. The earlier need not be an ancestor of the later.
 *
 * A row that was moved to another file (compaction, copy on write) stands in both lists, as do the rows of a file that was taken over from
 * another branch under a new sequence number.
 *
 * Held are the entries of data files that differ and of the deletes that apply to them, a bitmap for each data file of which some rows
 * differ, the paths of what the manifests list that differ, and the keys of equality deletes that `equalityDeletes` says; nothing of what
 * both share.
 *
 * @param from null: the empty table
 * @param options `filter`: files that hold no row of which it is true are left out, and the rows of others are to be tested by their
 * `residual`; `schema`: has its names, by default the schema that `to` was written with
 * @throws FrazilError kind `config` for a filter that does not fit the schema; `corrupt`, `not-found`
 */
export async function diffSnapshots(
  io: FileIO,
  metadata: TableMetadata,
  from: Snapshot | null,
  to: Snapshot,
  options: PlanOptions = {},
): Promise<ChangelogPlan> {
  const filter = filterOf(metadata, to, options);
  const list = async (snapshot: Snapshot | null): Promise<ManifestFile[]> =>
    snapshot === null ? [] : (await readManifestList(io, snapshot)).filter(hasLiveFiles);
  const manifests = sidesOf(await list(from), await list(to));
  const of = (content: ManifestFile["content"]): Sides =>
    mapSides(manifests, (some) => ofContent(some, content, filter));
  const files = listedFiles(io, metadata, filter, options.manifests);
  const table = { metadata, files };

  const [data, deletes] = [of("data"), of("deletes")];
  const differingDeletes = await differingFiles(files, deletes.before, deletes.after, () => false);
  const changedDeletes = [...differingDeletes.removed, ...differingDeletes.added];
  const targets = await targetsOf(io, changedDeletes);
  const hidersOf = equalityDeleteIndex(metadata, changedDeletes);
  const isTouched = (each: LiveFile): boolean => targets.has(each.file.filePath) || hidersOf(each).length > 0;
  const { removed, added, shared } = await differingFiles(files, data.before, data.after, isTouched);
  for (const { file } of [...removed, ...added, ...shared]) targets.delete(file.filePath);
  const surviving = [...shared, ...(await findDataFiles(table, data.shared, changedDeletes, targets, isTouched))];

  const sideDeletes = (differing: readonly ManifestFile[], own: readonly LiveFile[]) =>
    findDeletes(table, [...differing, ...deletes.shared], [...own, ...surviving]);
  const [deletesBefore, deletesAfter] = [
    await sideDeletes(deletes.before, removed),
    await sideDeletes(deletes.after, added),
  ];
  const rowsGone = deadRows(io, metadata);
  const [deadBefore, deadAfter] = [rowsGone(deletesBefore), rowsGone(deletesAfter)];
  const rowsOf = (live: LiveFile, positions: RoaringBitmap | null): ChangedRows => {
    const { file } = live;
    return { file, positions, residual: filter?.residualOf(file) ?? TRUE };
  };
  // All at once: vectors asked for together are read together.
  const [deleted, inserted, changed] = await Promise.all([
    Promise.all(removed.map(async (each) => rowsOf(each, liveRows(each, await deadBefore(each))))),
    Promise.all(added.map(async (each) => rowsOf(each, liveRows(each, await deadAfter(each))))),
    Promise.all(
      surviving.map(async (each) => {
        const [dead, now] = await Promise.all([deadBefore(each), deadAfter(each)]);
        return { died: rowsOf(each, now.difference(dead)), revived: rowsOf(each, dead.difference(now)) };
      }),
    ),
  ]);
  return {
    inserted: [...inserted, ...changed.map(({ revived }) => revived)].filter(hasRows),
    deleted: [...deleted, ...changed.map(({ died }) => died)].filter(hasRows),
    hasEqualityDeletes: [...deletesBefore, ...deletesAfter].some(({ file }) => file.content === "equality-deletes"),
  };
}

/** How many rows a list names, before a residual is tested. */
export function countRows(changes: readonly ChangedRows[]): number {
  return changes.reduce((sum, change) => sum + countOf(change), 0);
}

/** How many rows of its file a change names, before its residual is tested. */
export function countOf({ file, positions }: ChangedRows): number {
  return positions === null ? Number(file.recordCount) : positions.cardinality;
}

/** Manifests of the earlier and the later snapshot alone, and those of both, as the later one lists them. */
interface Sides {
  readonly before: readonly ManifestFile[];
  readonly after: readonly ManifestFile[];
  readonly shared: readonly ManifestFile[];
}

function sidesOf(before: readonly ManifestFile[], after: readonly ManifestFile[]): Sides {
  const paths = (manifests: readonly ManifestFile[]) => new Set(manifests.map(({ path }) => path));
  const [ofBefore, ofAfter] = [paths(before), paths(after)];
  return {
    before: before.filter(({ path }) => !ofAfter.has(path)),
    after: after.filter(({ path }) => !ofBefore.has(path)),
    // The upgrade to version 3 gave row ids to files that had none.
    shared: after.filter(({ path }) => ofBefore.has(path)),
  };
}

function mapSides(
  { before, after, shared }: Sides,
  choose: (manifests: readonly ManifestFile[]) => ManifestFile[],
): Sides {
  return { before: choose(before), after: choose(after), shared: choose(shared) };
}

/**
 * Which rows of data files the deletes of a snapshot take. What deletes of two snapshots have in common is read once.
 */
function deadRows(
  io: FileIO,
  metadata: TableMetadata,
): (deletes: readonly LiveFile[]) => (live: LiveFile) => Promise<RoaringBitmap> {
  const positions = deletedPositions(io);
  const equality = equalityDeletes(io, metadata);
  const byKeys = limitConcurrency(SCANNED_FILES_AHEAD, ({ file, by }: { file: DataFile; by: readonly LiveFile[] }) =>
    equality.of(file, by),
  );
  const hidden = new Map<string, Promise<RoaringBitmap>>();
  const hiddenIn = (file: DataFile, by: readonly LiveFile[]): Promise<RoaringBitmap> => {
    const name = JSON.stringify([file.filePath, ...by.map((each) => each.file.filePath)]);
    const known = hidden.get(name) ?? byKeys({ file, by });
    hidden.set(name, known);
    return known;
  };
  return (deletes) => {
    const byPosition = positionDeleteIndex(deletes);
    const byEquality = equalityDeleteIndex(metadata, deletes);
    return async (live) => {
      const by = byEquality(live);
      const dead = positions.of(live.file, byPosition(live));
      return by.length === 0 ? dead : (await dead).union(await hiddenIn(live.file, by));
    };
  };
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

function liveRows({ file }: LiveFile, dead: RoaringBitmap): RoaringBitmap | null {
  if (dead.cardinality === 0) return null;
  if (file.recordCount > 0xffffffffn) {
    const message = `${file.filePath}: expected rows below 2^32, found ${file.recordCount}`;
    throw new FrazilError("unsupported", "POSITION", message);
  }
  return RoaringBitmap.range(Number(file.recordCount)).difference(dead);
}

function hasRows(change: ChangedRows): boolean {
  return countOf(change) > 0;
}
