import { canonicalPath } from "../io/canonical-path.ts";
import { mapConcurrently } from "../io/concurrent-map.ts";
import { tableRoots } from "../io/confined.ts";
import type { FileIO } from "../io/file-io.ts";
import { unlessGone } from "../io/unless-gone.ts";
import { FILES_DELETED_AT_ONCE, MANIFESTS_AT_ONCE } from "../limits.ts";
import type { ManifestFile } from "../manifest/manifest-file.ts";
import { readManifestList } from "../manifest/manifest-list.ts";
import { readManifest } from "../manifest/manifest-reader.ts";
import { statisticsPaths } from "../metadata/statistics.ts";
import type { Snapshot, TableMetadata } from "../metadata/table-metadata.ts";

/** Files that only expired snapshots reach, by what they are. */
export interface UnreachableFiles {
  readonly dataFiles: readonly string[];
  readonly deleteFiles: readonly string[];
  readonly manifests: readonly string[];
  readonly manifestLists: readonly string[];
  readonly statistics: readonly string[];
  /** Sum of the sizes that the metadata states: data files, delete files (a shared Puffin file by its vectors) and manifests. */
  readonly bytes: bigint;
}

export const NO_UNREACHABLE_FILES: UnreachableFiles = {
  dataFiles: [],
  deleteFiles: [],
  manifests: [],
  manifestLists: [],
  statistics: [],
  bytes: 0n,
};

/** Those in the table's own folders: others were brought by whoever knows to whom else they belong. The bytes stay those of all. */
export function inOwnFolders(metadata: TableMetadata, files: UnreachableFiles): UnreachableFiles {
  const folders = tableRoots(metadata).map((folder) => `${folder}/`);
  const own = (paths: readonly string[]) => paths.filter((path) => folders.some((folder) => path.startsWith(folder)));
  return {
    dataFiles: own(files.dataFiles),
    deleteFiles: own(files.deleteFiles),
    manifests: own(files.manifests),
    manifestLists: own(files.manifestLists),
    statistics: own(files.statistics),
    bytes: files.bytes,
  };
}

/**
 * Deletes them, content before the manifests that tell of it: what a crash leaves behind can still be traced.
 * @returns those that the store would not delete; they are garbage from now on
 */
export async function deleteUnreachable(io: FileIO, files: UnreachableFiles): Promise<string[]> {
  const failed: string[] = [];
  const { dataFiles, deleteFiles, statistics, manifests, manifestLists } = files;
  for (const paths of [[...dataFiles, ...deleteFiles, ...statistics], manifests, manifestLists]) {
    await mapConcurrently(paths, FILES_DELETED_AT_ONCE, async (path) => {
      await io.delete(path).catch(() => failed.push(path));
    });
  }
  return failed;
}

/** Expired files by canonical path: how they are named, whether they hold data or deletes, and what is known of their size. */
type Candidates = Map<string, { readonly path: string; readonly content: "data" | "deletes"; bytes: bigint }>;

/**
 * The files of `expired` that no snapshot of `left` reaches. Manifests are read only where they are no longer listed, and those of `left`
 * only if there is a data or delete file to look for in them. Paths are compared in their canonical form, as each engine may name a file in its
 * own way (`s3` and `s3a`): where two could be meant, the file stays.
 *
 * @param expired snapshots whose files still exist @param left the table without them
 */
export async function unreachableFiles(
  io: FileIO,
  before: TableMetadata,
  expired: readonly Snapshot[],
  left: TableMetadata,
): Promise<UnreachableFiles> {
  const kept = await manifestsOf(io, left.snapshots, (entries) => entries);
  const gone = await manifestsOf(io, expired, emptyIfDeleted);
  const keptPlaces = new Set([...kept.keys()].map(canonicalPath));
  for (const path of gone.keys()) if (keptPlaces.has(canonicalPath(path))) gone.delete(path);
  const candidates = await filesIn(io, before, [...gone.values()]);
  if (candidates.size > 0) await dropReachable(io, before, [...kept.values()], candidates);
  const paths = (content: "data" | "deletes") =>
    [...candidates.values()].filter((file) => file.content === content).map(({ path }) => path);
  let bytes = 0n;
  for (const file of candidates.values()) bytes += file.bytes;
  for (const { lengthBytes } of gone.values()) bytes += lengthBytes;
  return {
    dataFiles: paths("data"),
    deleteFiles: paths("deletes"),
    manifests: onlyIn([...gone.keys()], []),
    manifestLists: onlyIn(listsOf(expired), listsOf(left.snapshots)),
    statistics: onlyIn(statisticsPaths(before), statisticsPaths(left)),
    bytes,
  };
}

async function manifestsOf(
  io: FileIO,
  snapshots: readonly Snapshot[],
  settle: (entries: Promise<readonly ManifestFile[]>) => Promise<readonly ManifestFile[]>,
): Promise<Map<string, ManifestFile>> {
  const found = new Map<string, ManifestFile>();
  await mapConcurrently(snapshots, MANIFESTS_AT_ONCE, async (snapshot) => {
    for (const manifest of await settle(readManifestList(io, snapshot))) found.set(manifest.path, manifest);
  });
  return found;
}

/** Of expired snapshots: another process that expired the same may have deleted some of their files already. */
async function emptyIfDeleted<T>(entries: Promise<readonly T[]>): Promise<readonly T[]> {
  return (await unlessGone(() => entries)) ?? [];
}

/** All files that the manifests name, DELETED entries included: the file of one may live on in an older snapshot, or in none. */
async function filesIn(io: FileIO, metadata: TableMetadata, manifests: readonly ManifestFile[]): Promise<Candidates> {
  const files: Candidates = new Map();
  const counted = new Set<string>();
  await mapConcurrently(manifests, MANIFESTS_AT_ONCE, async (manifest) => {
    for (const { file } of await emptyIfDeleted(readManifest(io, metadata, manifest))) {
      const place = canonicalPath(file.filePath);
      const { path, bytes } = files.get(place) ?? { path: file.filePath, bytes: 0n };
      const part = `${place}#${file.contentOffset ?? ""}`;
      const more = counted.has(part) ? 0n : (file.contentSizeBytes ?? file.fileSizeBytes);
      counted.add(part);
      files.set(place, { path, content: manifest.content, bytes: bytes + more });
    }
  });
  return files;
}

async function dropReachable(
  io: FileIO,
  metadata: TableMetadata,
  manifests: readonly ManifestFile[],
  candidates: Candidates,
): Promise<void> {
  await mapConcurrently(manifests, MANIFESTS_AT_ONCE, async (manifest) => {
    if (candidates.size === 0) return;
    for (const { status, file } of await readManifest(io, metadata, manifest)) {
      if (status !== "deleted") candidates.delete(canonicalPath(file.filePath));
    }
  });
}

function listsOf(snapshots: readonly Snapshot[]): string[] {
  return snapshots.map(({ manifestList }) => manifestList);
}

/** The paths that no other one means as well, each once. */
function onlyIn(paths: readonly string[], others: readonly string[]): string[] {
  const kept = new Set(others.map(canonicalPath));
  const found = new Map(paths.map((path) => [canonicalPath(path), path]));
  return [...found].filter(([place]) => !kept.has(place)).map(([, path]) => path);
}
