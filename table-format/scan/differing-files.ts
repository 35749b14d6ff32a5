import { mapAhead } from "../io/concurrent-map.ts";
import type { FileIO } from "../io/file-io.ts";
import { DIFFED_ENTRIES_HELD, MANIFESTS_AT_ONCE } from "../limits.ts";
import type { DataFile, LiveFile } from "../manifest/data-file.ts";
import { contentKey, scopedDataFile } from "../manifest/delete-scope.ts";
import type { ManifestFile } from "../manifest/manifest-file.ts";
import { type ManifestCache, schemasCurrentFirst } from "../manifest/manifest-reader.ts";
import { partitionTypes } from "../manifest/partition-avro.ts";
import { mayHoldPartition } from "../manifest/partition-match.ts";
import { specById } from "../metadata/refs.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import { isUnpartitioned } from "../partition/spec.ts";
import { partitionKey } from "../transaction/snapshot-summary.ts";
import { liveFilesOf } from "./live-files.ts";
import type { ScanFilter } from "./scan-filter.ts";

/** Reads the live files of manifests, one manifest after the other. */
export type ListedFiles = (manifests: readonly ManifestFile[]) => AsyncGenerator<readonly LiveFile[]>;

/** A reader for manifests that are looked at several times: the first files are kept, up to `DIFFED_ENTRIES_HELD`. */
export function listedFiles(
  io: FileIO,
  metadata: TableMetadata,
  filter: ScanFilter | null,
  cache: ManifestCache | undefined,
): ListedFiles {
  const held = new Map<string, readonly LiveFile[]>();
  let count = 0;
  const read = async (manifest: ManifestFile): Promise<readonly LiveFile[]> => {
    const known = held.get(manifest.path);
    if (known !== undefined) return known;
    const isData = manifest.content === "data";
    const all = await liveFilesOf(io, metadata, manifest, cache, isData ? (filter?.files ?? null) : null);
    const files = isData || filter === null ? all : all.filter(({ file }) => filter.mayDelete(file));
    if (count + files.length <= DIFFED_ENTRIES_HELD) {
      held.set(manifest.path, files);
      count += files.length;
    }
    return files;
  };
  return (manifests) => mapAhead(manifests, MANIFESTS_AT_ONCE, read);
}

/** Files of one kind that two snapshots list, as far as they are wanted. */
export interface DifferingFiles {
  readonly removed: readonly LiveFile[];
  readonly added: readonly LiveFile[];
  /** Listed by both, as the later one lists them. */
  readonly shared: readonly LiveFile[];
}

/**
 * Compares the files of manifests that only one of two snapshots lists. Held are the names of the earlier ones, and what is given.
 * @param isWanted of files of both
 */
export async function differingFiles(
  files: ListedFiles,
  before: readonly ManifestFile[],
  after: readonly ManifestFile[],
  isWanted: (file: LiveFile) => boolean,
): Promise<DifferingFiles> {
  const earlier = new Set<string>();
  for await (const some of files(before)) for (const each of some) earlier.add(liveKey(each));
  const both = new Set<string>();
  const [removed, added, shared]: [LiveFile[], LiveFile[], LiveFile[]] = [[], [], []];
  for await (const some of files(after)) {
    for (const each of some) {
      const key = liveKey(each);
      if (!earlier.has(key)) {
        added.push(each);
        continue;
      }
      both.add(key);
      if (isWanted(each)) shared.push(each);
    }
  }
  if (both.size < earlier.size) {
    for await (const some of files(before)) removed.push(...some.filter((each) => !both.has(liveKey(each))));
  }
  return { removed, added, shared };
}

/** A file that another branch took over under a new sequence number has other deletes. */
function liveKey({ file, sequenceNumber }: LiveFile): string {
  return `${contentKey(file)}@${sequenceNumber}`;
}

interface ListedTable {
  readonly metadata: TableMetadata;
  readonly files: ListedFiles;
}

/**
 * Looks data files up by the delete files that are about them: in manifests of the partitions of those, until all of the given paths are
 * found; what equality deletes may be about lies in any.
 * @param isTouched whether a file is one of the given paths, or one that equality deletes may be about
 */
export async function findDataFiles(
  { metadata, files }: ListedTable,
  manifests: readonly ManifestFile[],
  deletes: readonly LiveFile[],
  paths: ReadonlySet<string>,
  isTouched: (file: LiveFile) => boolean,
): Promise<LiveFile[]> {
  const found: LiveFile[] = [];
  const missing = new Set(paths);
  const byKeys = deletes.filter(({ file }) => file.content === "equality-deletes");
  // A path that is not found belongs to a data file that is gone: its deletes are about nothing.
  const isDone = (): boolean => missing.size === 0 && byKeys.length === 0;
  if (isDone()) return found;
  const newest = deletes.reduce((high, each) => (each.sequenceNumber > high ? each.sequenceNumber : high), 0n);
  const everywhere = byKeys.some(({ file }) => hasNoPartitions(metadata, file.specId));
  const inPartition = partitionsOf(metadata, deletes);
  const mayHold = (manifest: ManifestFile): boolean =>
    manifest.minSequenceNumber <= newest && (everywhere || inPartition.mayBeIn(manifest));
  for await (const some of files(manifests.filter(mayHold))) {
    for (const each of some) {
      if (!isTouched(each)) continue;
      missing.delete(each.file.filePath);
      found.push(each);
    }
    if (isDone()) break;
  }
  return found;
}

/** The delete files that may apply to some data files, out of the manifests that may hold such by their partitions and sequence numbers. */
export async function findDeletes(
  { metadata, files }: ListedTable,
  manifests: readonly ManifestFile[],
  dataFiles: readonly LiveFile[],
): Promise<LiveFile[]> {
  const [first] = dataFiles;
  if (first === undefined) return [];
  const oldest = dataFiles.reduce(
    (low, each) => (each.sequenceNumber < low ? each.sequenceNumber : low),
    first.sequenceNumber,
  );
  const paths = new Set(dataFiles.map(({ file }) => file.filePath));
  const inPartition = partitionsOf(metadata, dataFiles);
  const mayApply = ({ file, sequenceNumber }: LiveFile): boolean => {
    if (sequenceNumber < oldest) return false;
    const path = scopedDataFile(file);
    if (path !== null) return paths.has(path);
    return (file.content === "equality-deletes" && hasNoPartitions(metadata, file.specId)) || inPartition.has(file);
  };
  // No entry of a manifest is newer than the manifest.
  const mayHold = (manifest: ManifestFile): boolean =>
    manifest.sequenceNumber >= oldest && (hasNoPartitions(metadata, manifest.specId) || inPartition.mayBeIn(manifest));
  const found: LiveFile[] = [];
  for await (const some of files(manifests.filter(mayHold))) found.push(...some.filter(mayApply));
  return found;
}

function hasNoPartitions(metadata: TableMetadata, specId: number): boolean {
  return isUnpartitioned(specById(metadata, specId));
}

interface Partitions {
  has(file: DataFile): boolean;
  mayBeIn(manifest: ManifestFile): boolean;
}

/** The partitions of some files, each once. */
function partitionsOf(metadata: TableMetadata, files: readonly LiveFile[]): Partitions {
  const schemas = schemasCurrentFirst(metadata);
  const known = new Map(files.map(({ file }) => [partitionKey(file), file]));
  const bySpec = Map.groupBy(known.values(), ({ specId }) => specId);
  return {
    has: (file) => known.has(partitionKey(file)),
    mayBeIn: (manifest) => {
      const mine = bySpec.get(manifest.specId);
      if (mine === undefined) return false;
      const types = partitionTypes(specById(metadata, manifest.specId), schemas);
      return mine.some(({ partition }) => mayHoldPartition(manifest, types, partition));
    },
  };
}
