import type { DataFile, LiveFile } from "./data-file.ts";

/** What a manifest lists: data files, or delete files (position deletes, deletion vectors, equality deletes). Never both. */
export type ManifestContent = "data" | "deletes";

/** `manifest_file`: an entry of a manifest list (spec, "Manifest Lists"). */
export interface ManifestFile {
  readonly path: string;
  readonly lengthBytes: bigint;
  readonly specId: number;
  readonly content: ManifestContent;
  /** Of the snapshot that wrote the manifest; 0 for manifests of format version 1. */
  readonly sequenceNumber: bigint;
  /** Lowest data sequence number of its live files. */
  readonly minSequenceNumber: bigint;
  readonly addedSnapshotId: bigint;
  /** Files with status ADDED, EXISTING, DELETED, and their records. Null only in lists of format version 1. */
  readonly addedFilesCount: number | null;
  readonly existingFilesCount: number | null;
  readonly deletedFilesCount: number | null;
  readonly addedRowsCount: bigint | null;
  readonly existingRowsCount: bigint | null;
  readonly deletedRowsCount: bigint | null;
  /** One a field of the spec, or null when the writer left them out. */
  readonly partitions: readonly FieldSummary[] | null;
  readonly keyMetadata: Uint8Array | null;
  /** v3: the first row id given to the data files that have none of their own; null for delete manifests. */
  readonly firstRowId: bigint | null;
}

/** `field_summary`: what the partition values of a manifest's files have in common. Bounds are single-value binary without null and NaN. */
export interface FieldSummary {
  readonly containsNull: boolean;
  readonly containsNan: boolean | null;
  readonly lowerBound: Uint8Array | null;
  readonly upperBound: Uint8Array | null;
}

export type EntryStatus = "existing" | "added" | "deleted";

/** An entry of a manifest, inherited values filled in. */
export interface ManifestEntry extends LiveFile {
  readonly status: EntryStatus;
}

/** An entry to be written; null is inherited from the manifest list by readers (spec, "Manifest Entry Fields", "Sequence Number Inheritance"). */
export interface WrittenEntry {
  readonly status: EntryStatus;
  readonly snapshotId: bigint | null;
  readonly sequenceNumber: bigint | null;
  readonly fileSequenceNumber: bigint | null;
  readonly file: DataFile;
}

/** Whether files of the manifest may be live: true unless its counts say that all its entries are DELETED. */
export function hasLiveFiles(manifest: ManifestFile): boolean {
  return manifest.addedFilesCount !== 0 || manifest.existingFilesCount !== 0;
}

/** Whether an entry puts its file into the snapshot. */
export function isLive(entry: { readonly status: EntryStatus }): boolean {
  return entry.status !== "deleted";
}
