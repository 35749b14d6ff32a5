import { FrazilError } from "../errors.ts";
import { mapConcurrently } from "../io/concurrent-map.ts";
import { MANIFESTS_AT_ONCE } from "../limits.ts";
import type { DataFile, LiveFile } from "../manifest/data-file.ts";
import { contentKey, scopedDataFile } from "../manifest/delete-scope.ts";
import {
  isLive,
  type ManifestContent,
  type ManifestEntry,
  type ManifestFile,
  type WrittenEntry,
} from "../manifest/manifest-file.ts";
import { schemasCurrentFirst } from "../manifest/manifest-reader.ts";
import { partitionTypes } from "../manifest/partition-avro.ts";
import { mayHoldPartition } from "../manifest/partition-match.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import { isDeletionVector } from "../puffin/deletion-vector.ts";
import type { PrimitiveType } from "../schema/types.ts";
import { carriedEntries, type Listed, type ManifestBuilder } from "./manifest-builder.ts";

/** A file of which the manifest that lists it is known: removing it then reads no other manifest. */
export interface PlannedFile extends LiveFile {
  readonly manifestPath: string;
}

/** Manifests of one content without the removed files. */
export interface Filtered {
  /** Those that changed come first. */
  readonly listed: readonly Listed[];
  readonly removed: readonly DataFile[];
}

export interface FilterContext {
  readonly base: TableMetadata;
  readonly builder: ManifestBuilder;
  /** Rewritten manifests of one spec are joined up to this size; 0 keeps each apart. */
  readonly joinBytes: bigint;
  readonly read: (manifest: ManifestFile) => Promise<readonly ManifestEntry[]>;
}

/**
 * Takes data files out of the manifests that hold them. Reads those where the files are known or likely to be first, and none
 * after the last file was found.
 * @throws FrazilError kind `conflict` when a file is not live: another commit has removed it.
 */
export async function filterDataManifests(
  manifests: readonly ManifestFile[],
  removals: readonly LiveFile[],
  context: FilterContext,
): Promise<Filtered> {
  const wanted = new Map(removals.map((removal) => [removal.file.filePath, removal]));
  const hits: Hit[] = [];
  const search = async (candidates: readonly ManifestFile[]): Promise<void> => {
    for (let i = 0; i < candidates.length && wanted.size > 0; i += MANIFESTS_AT_ONCE) {
      const some = candidates.slice(i, i + MANIFESTS_AT_ONCE);
      const read = await mapConcurrently(some, MANIFESTS_AT_ONCE, context.read);
      for (const [j, entries] of read.entries()) {
        const found = entries.filter((entry) => isLive(entry) && wanted.has(entry.file.filePath));
        if (found.length === 0) continue;
        for (const entry of found) wanted.delete(entry.file.filePath);
        hits.push({ manifest: some[j] as ManifestFile, entries, removed: new Set(found) });
      }
    }
  };
  if (wanted.size > 0) {
    const known = new Set(removals.map((removal) => ("manifestPath" in removal ? removal.manifestPath : null)));
    const named = manifests.filter((manifest) => known.has(manifest.path));
    await search(named);
    const mayHold = candidateTest(removals, context.base);
    const likely = manifests.filter((manifest) => !known.has(manifest.path) && mayHold(manifest));
    // A file that was never moved lies in the manifest of the snapshot that added it.
    const addedIn = new Set(removals.map((removal) => removal.snapshotId));
    await search(likely.filter((manifest) => addedIn.has(manifest.addedSnapshotId)));
    await search(likely.filter((manifest) => !addedIn.has(manifest.addedSnapshotId)));
  }
  for (const path of wanted.keys()) throw notLive(path);
  return rewrite(manifests, hits, "data", context);
}

/** What leaves the delete manifests, and what comes in at the same time. */
export interface DeleteRemovals {
  readonly files: readonly LiveFile[];
  /** Removed data files: vectors and position deletes of theirs go with them. */
  readonly dataFiles: readonly DataFile[];
  /** New delete files: no data file may keep an older vector beside a new one. */
  readonly added: readonly DataFile[];
  /** Deletes of lower sequence numbers go: no data file is as old. */
  readonly olderThan: bigint;
}

/**
 * Takes delete files out of their manifests, with those that only removed data files needed, and those that are older than all data.
 * @throws FrazilError kind `conflict` when a file is not live, or when a data file that gets a vector has another one that stays.
 */
export async function filterDeleteManifests(
  manifests: readonly ManifestFile[],
  { files, dataFiles, added, olderThan }: DeleteRemovals,
  context: FilterContext,
): Promise<Filtered> {
  const wanted = new Map(files.map((removal) => [contentKey(removal.file), removal]));
  const gone = new Set(dataFiles.map((file) => file.filePath));
  const renewed = new Set(added.filter(isDeletionVector).map((file) => file.referencedDataFile));
  const touched = [...files.map((each) => each.file), ...dataFiles, ...added.filter(isDeletionVector)];
  const mayHold = partitionTest(touched, context.base);
  const candidates = manifests.filter(
    (manifest) => manifest.minSequenceNumber < olderThan || (touched.length > 0 && mayHold(manifest)),
  );
  const read = await mapConcurrently(candidates, MANIFESTS_AT_ONCE, context.read);
  const hits: Hit[] = [];
  for (const [i, entries] of read.entries()) {
    const removed = new Set<ManifestEntry>();
    for (const entry of entries) {
      if (!isLive(entry)) continue;
      const target = scopedDataFile(entry.file);
      // Without a number are entries of version 1, which has no deletes.
      const isMoot = entry.sequenceNumber > 0n && entry.sequenceNumber < olderThan;
      if (wanted.delete(contentKey(entry.file)) || (target !== null && gone.has(target)) || isMoot) removed.add(entry);
      else if (target !== null && renewed.has(target) && isDeletionVector(entry.file))
        throw secondVector(entry, target);
    }
    if (removed.size > 0) hits.push({ manifest: candidates[i] as ManifestFile, entries, removed });
  }
  for (const key of wanted.keys()) throw notLive(key);
  return rewrite(manifests, hits, "deletes", context);
}

interface Hit {
  readonly manifest: ManifestFile;
  readonly entries: readonly ManifestEntry[];
  readonly removed: ReadonlySet<ManifestEntry>;
}

/** Replaces manifests by what is left of them. They have to be written anyway: joined they cost fewer objects. */
function rewrite(
  manifests: readonly ManifestFile[],
  hits: readonly Hit[],
  content: ManifestContent,
  { builder, joinBytes }: FilterContext,
): Filtered {
  const listed: Listed[] = [];
  for (const [specId, ofSpec] of Map.groupBy(hits, (hit) => hit.manifest.specId)) {
    let entries: WrittenEntry[] = [];
    let size = 0n;
    const flush = (): void => {
      if (entries.length > 0) listed.push(builder.build(specId, content, entries));
      entries = [];
      size = 0n;
    };
    for (const hit of ofSpec) {
      if (size > 0n && size + hit.manifest.lengthBytes > joinBytes) flush();
      entries.push(...carriedEntries(hit.entries, builder.snapshotId, (entry) => hit.removed.has(entry)));
      size += hit.manifest.lengthBytes;
    }
    flush();
  }
  const replaced = new Set(hits.map((hit) => hit.manifest));
  for (const manifest of manifests) if (!replaced.has(manifest)) listed.push({ manifest, pending: null });
  return { listed, removed: hits.flatMap((hit) => [...hit.removed].map((entry) => entry.file)) };
}

/** Whether a manifest may hold one of the files: by spec, partition and the order of sequence numbers. */
function candidateTest(removals: readonly LiveFile[], base: TableMetadata): (manifest: ManifestFile) => boolean {
  const mayHoldPartitions = partitionTest(
    removals.map((each) => each.file),
    base,
  );
  const oldest = removals.reduce(
    (low, each) => (each.fileSequenceNumber < low ? each.fileSequenceNumber : low),
    2n ** 63n,
  );
  // No manifest lists a file that a later snapshot added.
  return (manifest) => manifest.sequenceNumber >= oldest && mayHoldPartitions(manifest);
}

/** Whether a manifest may hold files of the same partitions as the given ones, by its spec and its partition summaries. */
export function partitionTest(files: readonly DataFile[], base: TableMetadata): (manifest: ManifestFile) => boolean {
  const schemas = schemasCurrentFirst(base);
  const bySpec = new Map<number, { types: readonly (PrimitiveType | null)[]; files: readonly DataFile[] }>();
  for (const [specId, ofSpec] of Map.groupBy(files, (file) => file.specId)) {
    const spec = base.partitionSpecs.find((each) => each.specId === specId);
    if (spec !== undefined) bySpec.set(specId, { types: partitionTypes(spec, schemas), files: ofSpec });
  }
  return (manifest) => {
    const candidates = bySpec.get(manifest.specId);
    if (candidates === undefined) return false;
    return candidates.files.some((file) => mayHoldPartition(manifest, candidates.types, file.partition));
  };
}

function notLive(path: string): FrazilError {
  return new FrazilError(
    "conflict",
    "FILE_NOT_LIVE",
    `expected live file ${path}, found none in the current snapshot`,
    {
      hint: "another commit removed it; load the table again and repeat the change",
    },
  );
}

function secondVector(entry: ManifestEntry, target: string): FrazilError {
  return new FrazilError(
    "conflict",
    "DELETION_VECTOR_EXISTS",
    `expected to replace the deletion vector of ${target}, found another one: ${contentKey(entry.file)}`,
    { hint: "another commit changed it; load the table again and merge the vectors" },
  );
}
