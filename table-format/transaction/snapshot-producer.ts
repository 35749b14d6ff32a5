import { FrazilError, must } from "../errors.ts";
import { mapConcurrently } from "../io/concurrent-map.ts";
import type { FileIO } from "../io/file-io.ts";
import { MANIFESTS_AT_ONCE } from "../limits.ts";
import type { DataFile, LiveFile } from "../manifest/data-file.ts";
import { contentKey, scopedDataFile } from "../manifest/delete-scope.ts";
import { hasLiveFiles, type ManifestContent, type ManifestFile } from "../manifest/manifest-file.ts";
import { encodeManifestList, readManifestList } from "../manifest/manifest-list.ts";
import { type ManifestCache, readManifest } from "../manifest/manifest-reader.ts";
import { currentSnapshot } from "../metadata/refs.ts";
import type { Snapshot, TableMetadata } from "../metadata/table-metadata.ts";
import { isDeletionVector } from "../puffin/deletion-vector.ts";
import type { Schema } from "../schema/types.ts";
import { type Listed, manifestBuilder } from "./manifest-builder.ts";
import { assignRowIds, withCounts } from "./manifest-list-entries.ts";
import { type FilterContext, filterDataManifests, filterDeleteManifests } from "./manifest-filter.ts";
import { mergeManifests, mergeSettings } from "./manifest-merge.ts";
import { summarizeChanges } from "./snapshot-summary.ts";

export type Operation = "append" | "overwrite" | "delete" | "replace";

/** A delete file that a snapshot adds. */
export interface AddedDeleteFile extends DataFile {
  /** Of deletes that were only rewritten: what they applied to, and nothing that came since. Default: the snapshot's. */
  readonly dataSequenceNumber?: bigint | undefined;
}

/** What a new snapshot of `main` changes. */
export interface SnapshotInput {
  readonly snapshotId: bigint;
  readonly timestampMs: bigint;
  /** Default: append when only data files come in, delete when data only goes, else overwrite. */
  readonly operation?: Operation;
  readonly addedDataFiles: readonly DataFile[];
  readonly removedDataFiles: readonly LiveFile[];
  readonly addedDeleteFiles: readonly AddedDeleteFile[];
  readonly removedDeleteFiles: readonly LiveFile[];
  /** Further summary entries. */
  readonly summary: ReadonlyMap<string, string>;
  /** The table's current schema after the commit. */
  readonly schema: Schema;
  readonly ref: "main";
  /** Data sequence number of the added data files: rows that only moved keep theirs, so that later deletes still apply. Default: the snapshot's. */
  readonly dataSequenceNumber?: bigint | undefined;
  /** Whether small manifests are merged, as the table's `commit.manifest-merge.*` say (default). False makes a commit that reads none. */
  readonly mergeManifests?: boolean | undefined;
}

/** Full locations of the files of one attempt, never used before. */
export interface SnapshotNames {
  manifest(k: number): string;
  manifestList(): string;
}

export interface ProducedSnapshot {
  readonly snapshot: Snapshot;
  /** Manifests and manifest list: garbage if the commit certainly does not happen. */
  readonly writtenFiles: readonly string[];
}

/**
 * Writes the manifests and the manifest list of a new snapshot on top of `main` of `base`; nothing is committed. For another
 * base, as after a lost race, it has to run again: sequence number, row ids and manifests depend on it.
 *
 * Removing a data file also removes its deletion vector and the position delete files that are about it alone, and deletes that are older
 * than every data file that is left.
 * @throws FrazilError kind `conflict` when a removed file is not live or a deletion vector would stand beside another one,
 *   `unsupported` for delete files that the format version does not allow.
 */
export async function produceSnapshot(
  io: FileIO,
  base: TableMetadata,
  input: SnapshotInput,
  names: SnapshotNames,
  cache?: ManifestCache,
): Promise<ProducedSnapshot> {
  checkInput(base, input);
  const { formatVersion } = base;
  const parent = currentSnapshot(base);
  const sequenceNumber = nextSequenceNumber(base);
  let manifestNumber = 0;
  const builder = manifestBuilder(base, { ...input, sequenceNumber }, formatVersion, () =>
    names.manifest(manifestNumber++),
  );
  const read = (manifest: ManifestFile) => readManifest(io, base, manifest, cache);
  const allowed = mergeSettings(base.properties);
  const settings = input.mergeManifests === false ? { ...allowed, enabled: false } : allowed;
  const context: FilterContext = { base, builder, joinBytes: settings.enabled ? settings.targetSizeBytes : 0n, read };

  // A manifest whose entries are all DELETED belongs to the snapshot that wrote it and to no later one.
  const manifests = parent === null ? [] : (await readManifestList(io, parent)).filter(hasLiveFiles);
  const of = (content: ManifestContent) => manifests.filter((manifest) => manifest.content === content);
  const data = await filterDataManifests(of("data"), input.removedDataFiles, context);
  const deletes = await filterDeleteManifests(
    of("deletes"),
    {
      files: input.removedDeleteFiles,
      dataFiles: data.removed,
      added: input.addedDeleteFiles,
      // Without a data file less, the oldest one is as old as before.
      olderThan: data.removed.length === 0 ? 0n : oldestData(data.listed, input, sequenceNumber),
    },
    context,
  );
  const newManifests = (files: readonly AddedDeleteFile[], content: ManifestContent): Listed[] =>
    [...Map.groupBy(files, (file) => file.specId)].map(([specId, ofSpec]) =>
      builder.build(
        specId,
        content,
        ofSpec.map((file) => ({
          status: "added",
          snapshotId: null,
          sequenceNumber: formatVersion === 1 ? null : ((content === "data" ? input : file).dataSequenceNumber ?? null),
          fileSequenceNumber: null,
          // Given by the manifest list when the snapshot is read; one of our own would claim somebody else's ids.
          file: file.firstRowId === null ? file : { ...file, firstRowId: null },
        })),
      ),
    );
  const listed = [
    ...(await mergeManifests(
      [...newManifests(input.addedDataFiles, "data"), ...data.listed],
      "data",
      settings,
      builder,
      read,
    )),
    ...(await mergeManifests(
      [...newManifests(input.addedDeleteFiles, "deletes"), ...deletes.listed],
      "deletes",
      settings,
      builder,
      read,
    )),
  ];

  const { list, nextRowId } = assignRowIds(
    await mapConcurrently(listed, MANIFESTS_AT_ONCE, ({ manifest }) => withCounts(manifest, read)),
    formatVersion === 3 ? base.nextRowId : null,
  );
  const pending = listed.filter((each) => each.pending !== null);
  await mapConcurrently(pending, MANIFESTS_AT_ONCE, (each) =>
    io.write(each.manifest.path, must(each.pending, "filtered above").bytes),
  );
  const manifestList = names.manifestList();
  const firstRowId = formatVersion === 3 ? base.nextRowId : null;
  const snapshotId = input.snapshotId;
  const parentSnapshotId = parent?.snapshotId ?? null;
  await io.write(
    manifestList,
    encodeManifestList({ formatVersion, snapshotId, parentSnapshotId, sequenceNumber, firstRowId }, list),
  );

  const changes = {
    added: [...input.addedDataFiles, ...input.addedDeleteFiles],
    removed: [...data.removed, ...deletes.removed],
  };
  const kept = listed.length - pending.length;
  const summary = new Map<string, string>([
    ["operation", input.operation ?? operationOf(input)],
    ...input.summary,
    ...summarizeChanges(changes, parent?.summary ?? null),
    ["manifests-created", String(pending.length)],
    ["manifests-kept", String(kept)],
    ["manifests-replaced", String(manifests.length - kept)],
  ]);
  const snapshot: Snapshot = {
    snapshotId,
    parentSnapshotId,
    sequenceNumber,
    // Readers refuse metadata whose time runs backwards.
    timestampMs: input.timestampMs > base.lastUpdatedMs ? input.timestampMs : base.lastUpdatedMs,
    manifestList,
    summary,
    schemaId: input.schema.schemaId,
    firstRowId,
    addedRows: nextRowId === null ? null : nextRowId - base.nextRowId,
  };
  return { snapshot, writtenFiles: [...pending.map((each) => each.manifest.path), manifestList] };
}

/** The lowest data sequence number of the table's data files after the change; with none of them, the snapshot's. */
function oldestData(listed: readonly Listed[], input: SnapshotInput, sequenceNumber: bigint): bigint {
  const added = input.addedDataFiles.length > 0 ? (input.dataSequenceNumber ?? sequenceNumber) : sequenceNumber;
  const kept = listed
    .filter(({ manifest }) => hasLiveFiles(manifest))
    .map(({ manifest }) => manifest.minSequenceNumber);
  return [added, ...kept].reduce((low, each) => (each < low ? each : low), sequenceNumber);
}

/** Java's naming of a row delta; an empty snapshot is an append of nothing. */
function operationOf(input: SnapshotInput): Operation {
  const addsData = input.addedDataFiles.length > 0;
  const takesData = input.removedDataFiles.length > 0 || input.addedDeleteFiles.length > 0;
  const restores = input.removedDeleteFiles.length > 0;
  if (!takesData && !restores) return "append";
  return takesData && !addsData ? "delete" : "overwrite";
}

/** The sequence number of the next snapshot: 0 in version 1, which has none (spec, "Sequence Numbers"). */
export function nextSequenceNumber({ formatVersion, lastSequenceNumber }: TableMetadata): bigint {
  return formatVersion === 1 ? 0n : lastSequenceNumber + 1n;
}

/** @throws FrazilError kind `unsupported` for a table of version 1, whose rows go with their files only. */
export function checkTakesDeletes({ formatVersion, location }: TableMetadata): void {
  if (formatVersion > 1) return;
  const message = `${location}: expected a table of format version 2 or 3 for deletes of rows, found 1`;
  throw new FrazilError("unsupported", "FORMAT_VERSION", message, {
    hint: "upgrade the table to version 2 first, or replace its files",
  });
}

function checkInput(base: TableMetadata, input: SnapshotInput): void {
  const { formatVersion } = base;
  if (input.addedDeleteFiles.length > 0) checkTakesDeletes(base);
  const added = [...input.addedDataFiles, ...input.addedDeleteFiles];
  const keys = new Set(added.map(contentKey));
  if (keys.size < added.length) throw invalid("each file once among the added files", "a file twice");
  const removed = new Set(input.removedDataFiles.map((each) => each.file.filePath));
  const vectors = new Set<string>();
  for (const file of input.addedDataFiles) if (file.content !== "data") throw invalid("a data file", file.filePath);
  for (const file of input.addedDeleteFiles) {
    if (file.content === "data") throw invalid("a delete file", `data file ${file.filePath}`);
    const target = scopedDataFile(file);
    if (target !== null && removed.has(target)) throw invalid("deletes of data files that stay", `some of ${target}`);
    if (file.content === "equality-deletes") continue;
    if (isDeletionVector(file) !== (formatVersion === 3)) {
      const expected = formatVersion === 3 ? "deletion vectors" : "position delete files";
      throw new FrazilError(
        "unsupported",
        "DELETE_FILE_KIND",
        `expected ${expected} in a table of format version ${formatVersion}, found ${file.fileFormat} file ${file.filePath}`,
        { hint: "the table's format version has changed since the deletes were prepared; prepare them again" },
      );
    }
    if (target === null || !isDeletionVector(file)) continue;
    if (vectors.has(target)) throw invalid(`one deletion vector of ${target}`, "two");
    vectors.add(target);
  }
}

function invalid(expected: string, found: string): FrazilError {
  return new FrazilError("internal", "SNAPSHOT_INPUT", `expected ${expected}, found ${found}`);
}
