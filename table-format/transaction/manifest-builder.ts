import type { ManifestContent, ManifestEntry, ManifestFile, WrittenEntry } from "../manifest/manifest-file.ts";
import { isLive } from "../manifest/manifest-file.ts";
import { schemasCurrentFirst } from "../manifest/manifest-reader.ts";
import { writeManifest } from "../manifest/manifest-writer.ts";
import { specById } from "../metadata/refs.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import type { Schema } from "../schema/types.ts";

/** A manifest of the snapshot under construction: one that exists, or one that is encoded and not stored yet. */
export type Listed =
  | { readonly manifest: ManifestFile; readonly pending: null }
  | { readonly manifest: ManifestFile; readonly pending: PendingManifest };

export interface PendingManifest {
  readonly bytes: Uint8Array;
  readonly entries: readonly WrittenEntry[];
}

/** Encodes the manifests of one attempt at one snapshot. */
export interface ManifestBuilder {
  readonly snapshotId: bigint;
  build(specId: number, content: ManifestContent, entries: readonly WrittenEntry[]): Listed;
}

/** @param nextLocation gives a name that nobody used before */
export function manifestBuilder(
  base: TableMetadata,
  snapshot: { readonly snapshotId: bigint; readonly sequenceNumber: bigint; readonly schema: Schema },
  formatVersion: TableMetadata["formatVersion"],
  nextLocation: () => string,
): ManifestBuilder {
  const { snapshotId, sequenceNumber, schema } = snapshot;
  const older = schemasCurrentFirst(base).filter((each) => each.schemaId !== schema.schemaId);
  const schemas = [schema, ...older];
  return {
    snapshotId,
    build: (specId, content, entries) => {
      const spec = specById(base, specId);
      const location = nextLocation();
      const { bytes, manifest } = writeManifest(
        { location, formatVersion, content, spec, schemas, snapshotId, sequenceNumber },
        entries,
      );
      return { manifest, pending: { bytes, entries } };
    },
  };
}

/**
 * What of an existing manifest goes into one that replaces it: live entries as EXISTING with everything inherited made
 * explicit, or as DELETED by this snapshot. Entries that earlier snapshots deleted are dropped; they must never come back.
 */
export function carriedEntries(
  entries: readonly ManifestEntry[],
  snapshotId: bigint,
  isRemoved: (entry: ManifestEntry) => boolean = () => false,
): WrittenEntry[] {
  return entries
    .filter(isLive)
    .map((entry) =>
      isRemoved(entry) ? { ...entry, status: "deleted", snapshotId } : { ...entry, status: "existing" },
    );
}
