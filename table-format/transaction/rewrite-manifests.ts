import { FrazilError } from "../errors.ts";
import { mapConcurrently } from "../io/concurrent-map.ts";
import type { FileIO } from "../io/file-io.ts";
import { MANIFESTS_AT_ONCE } from "../limits.ts";
import type { Value } from "../manifest/data-file.ts";
import { hasLiveFiles, type ManifestContent, type ManifestFile, type WrittenEntry } from "../manifest/manifest-file.ts";
import { encodeManifestList, readManifestList } from "../manifest/manifest-list.ts";
import { readManifest } from "../manifest/manifest-reader.ts";
import { currentSnapshot } from "../metadata/refs.ts";
import type { Snapshot, TableMetadata } from "../metadata/table-metadata.ts";
import type { Schema } from "../schema/types.ts";
import { compareBytes } from "../values/single-value.ts";
import { carriedEntries, manifestBuilder } from "./manifest-builder.ts";
import { assignRowIds, withCounts } from "./manifest-list-entries.ts";
import { nextSequenceNumber } from "./snapshot-producer.ts";
import { summarizeChanges } from "./snapshot-summary.ts";

export interface ManifestRewriteSettings {
  /** Size of the new manifests, about. */
  readonly targetSizeBytes: number;
  /** Entries that are sorted together, and so held in memory. */
  readonly entriesHeld: number;
}

/** Manifests of one spec and content whose live entries are written anew, sorted by partition. */
export interface ManifestGroup {
  readonly specId: number;
  readonly content: ManifestContent;
  readonly manifests: readonly ManifestFile[];
}

/** What came out of a group: the group's manifests are to be replaced by the written ones. */
export interface RewrittenGroup extends ManifestGroup {
  readonly written: readonly ManifestFile[];
}

/** Of a manifest that is written before it is known which snapshot will list it. Nothing in the file tells them. */
const UNLISTED = { snapshotId: 0n, sequenceNumber: 2n ** 62n };

/** A manifest of this share of the target is large enough. */
const LARGE_SHARE = 0.75;
/** From this share of DELETED entries on a manifest is rewritten for them alone. */
const DELETED_SHARE = 0.1;
/** Bytes of an entry where a list of format version 1 does not count them: a low guess, so that rather too few are held. */
const ENTRY_BYTES = 64;

/** Which manifests of a list are worth a rewrite: small ones where fewer would do, and those with many DELETED entries. */
export function planManifestRewrite(
  manifests: readonly ManifestFile[],
  { targetSizeBytes, entriesHeld }: ManifestRewriteSettings,
): ManifestGroup[] {
  const candidates = manifests.filter(
    (manifest) =>
      hasLiveFiles(manifest) &&
      (Number(manifest.lengthBytes) < targetSizeBytes * LARGE_SHARE || deletedShare(manifest) >= DELETED_SHARE),
  );
  const byKind = Map.groupBy(candidates, ({ specId, content }) => `${content} ${specId}`);
  return [...byKind.values()]
    .flatMap((ofKind) => neighbours(ofKind, entriesHeld))
    .filter((group) => {
      const bytes = group.reduce((sum, { lengthBytes }) => sum + Number(lengthBytes), 0);
      const saves = group.length > Math.ceil(bytes / targetSizeBytes);
      return saves || group.some((manifest) => deletedShare(manifest) >= DELETED_SHARE);
    })
    .map((group) => {
      const { specId, content } = group[0] as ManifestFile;
      return { specId, content, manifests: group };
    });
}

/**
 * Writes the live entries of a group's manifests into new ones, sorted by partition so that each covers few. Entries keep the snapshot
 * that added their file, both sequence numbers and the first row id, all of them explicit (spec, "Sequence Number Inheritance", "First Row
 * ID Inheritance"); DELETED ones are dropped. Nothing is committed.
 *
 * @param schema the table's current one
 * @param nextLocation gives a name that nobody used before
 * @throws FrazilError `unsupported` for format version 1
 */
export async function rewriteManifestGroup(
  io: FileIO,
  base: TableMetadata,
  group: ManifestGroup,
  schema: Schema,
  targetSizeBytes: number,
  nextLocation: () => string,
): Promise<RewrittenGroup> {
  const { specId, content, manifests } = group;
  const read = await mapConcurrently(manifests, MANIFESTS_AT_ONCE, (manifest) => readManifest(io, base, manifest));
  const entries = read.flatMap((each) => carriedEntries(each, UNLISTED.snapshotId)).toSorted(byPartition);
  const all = read.reduce((sum, each) => sum + each.length, 0);
  const bytes = manifests.reduce((sum, { lengthBytes }) => sum + Number(lengthBytes), 0);
  const perManifest = Math.max(1, Math.floor((targetSizeBytes * all) / Math.max(1, bytes)));
  const builder = manifestBuilder(base, { ...UNLISTED, schema }, base.formatVersion, nextLocation);
  const written: ManifestFile[] = [];
  for (let first = 0; first < entries.length; first += perManifest) {
    const { manifest, pending } = builder.build(specId, content, entries.slice(first, first + perManifest));
    if (pending !== null) await io.write(manifest.path, pending.bytes);
    written.push(manifest);
  }
  return { ...group, written };
}

/**
 * Writes the manifest list of a `replace` snapshot on top of `main` of `base` in which the groups are replaced; nothing is committed.
 * @param groups whose manifests all stand in the list of `base`'s current snapshot
 */
export async function produceRewrittenManifests(
  io: FileIO,
  base: TableMetadata,
  input: { readonly snapshotId: bigint; readonly timestampMs: bigint; readonly schema: Schema },
  groups: readonly RewrittenGroup[],
  manifestList: string,
): Promise<Snapshot> {
  const { formatVersion } = base;
  const parent = currentSnapshot(base);
  const sequenceNumber = nextSequenceNumber(base);
  const firstRowId = formatVersion === 3 ? base.nextRowId : null;
  const before = parent === null ? [] : (await readManifestList(io, parent)).filter(hasLiveFiles);
  const replaced = new Set(groups.flatMap(({ manifests }) => manifests.map(({ path }) => path)));
  const kept = before.filter(({ path }) => !replaced.has(path));
  if (before.length - kept.length !== replaced.size) {
    throw new FrazilError("conflict", "MANIFEST_GONE", "expected every replaced manifest in the current list", {
      hint: "another commit replaced some; plan the rewrite again",
    });
  }
  const { snapshotId, timestampMs, schema } = input;
  const created = groups.flatMap(({ written }) =>
    written.map((manifest) => ({ ...manifest, sequenceNumber, addedSnapshotId: snapshotId })),
  );
  const counted = await mapConcurrently([...created, ...kept], MANIFESTS_AT_ONCE, (manifest) =>
    withCounts(manifest, (each) => readManifest(io, base, each)),
  );
  const { list, nextRowId } = assignRowIds(counted, firstRowId);
  const parentSnapshotId = parent?.snapshotId ?? null;
  await io.write(
    manifestList,
    encodeManifestList({ formatVersion, snapshotId, parentSnapshotId, sequenceNumber, firstRowId }, list),
  );
  const entries = groups.reduce((sum, { written }) => sum + written.reduce((n, each) => n + liveFiles(each), 0), 0);
  return {
    snapshotId,
    parentSnapshotId,
    sequenceNumber,
    timestampMs: timestampMs > base.lastUpdatedMs ? timestampMs : base.lastUpdatedMs,
    manifestList,
    summary: new Map([
      ["operation", "replace"],
      ...summarizeChanges({ added: [], removed: [] }, parent?.summary ?? null),
      ["manifests-created", String(created.length)],
      ["manifests-kept", String(kept.length)],
      ["manifests-replaced", String(replaced.size)],
      ["entries-processed", String(entries)],
    ]),
    schemaId: schema.schemaId,
    firstRowId,
    addedRows: nextRowId === null ? null : nextRowId - base.nextRowId,
  };
}

/** Manifests in the order of their lowest partition values, in runs of at most so many entries. */
function neighbours(manifests: readonly ManifestFile[], entriesHeld: number): ManifestFile[][] {
  const ordered = manifests.toSorted((a, b) => compareBytes(lowest(a), lowest(b)));
  const groups: ManifestFile[][] = [];
  let held = 0;
  for (const manifest of ordered) {
    const group = groups.at(-1);
    held += allFiles(manifest);
    if (group === undefined || held > entriesHeld) {
      groups.push([manifest]);
      held = allFiles(manifest);
    } else {
      group.push(manifest);
    }
  }
  return groups;
}

/** The lower bound of the first partition field: bytes whose order is roughly that of the values, which is all that it takes. */
function lowest({ partitions }: ManifestFile): Uint8Array {
  const bound = partitions?.[0]?.lowerBound ?? new Uint8Array(0);
  // Numbers are little-endian.
  return bound.length === 4 || bound.length === 8 ? bound.toReversed() : bound;
}

function byPartition(a: WrittenEntry, b: WrittenEntry): number {
  for (const [i, left] of a.file.partition.entries()) {
    const order = compareKeys(left, b.file.partition[i] ?? null);
    if (order !== 0) return order;
  }
  return 0;
}

/** Null first; values of one field are of one type. Which order it is does not matter to readers. */
function compareKeys(a: Value | null, b: Value | null): number {
  if (a === null || b === null) return Number(b === null) - Number(a === null);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return compareBytes(a, b);
  return a < b ? -1 : Number(a > b);
}

function allFiles(manifest: ManifestFile): number {
  const { addedFilesCount, existingFilesCount, deletedFilesCount } = manifest;
  if (addedFilesCount === null || existingFilesCount === null || deletedFilesCount === null) {
    return Math.ceil(Number(manifest.lengthBytes) / ENTRY_BYTES);
  }
  return addedFilesCount + existingFilesCount + deletedFilesCount;
}

function liveFiles({ addedFilesCount, existingFilesCount }: ManifestFile): number {
  return (addedFilesCount ?? 0) + (existingFilesCount ?? 0);
}

function deletedShare(manifest: ManifestFile): number {
  return (manifest.deletedFilesCount ?? 0) / Math.max(1, allFiles(manifest));
}
