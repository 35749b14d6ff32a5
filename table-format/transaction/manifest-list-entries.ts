import type { ManifestFile } from "../manifest/manifest-file.ts";
import type { readManifest } from "../manifest/manifest-reader.ts";

/**
 * Row lineage (spec, "First Row ID Assignment"): data manifests without a first row id get one, in the order of the list; each
 * takes as many ids as it has live rows. Delete manifests never have one.
 */
export function assignRowIds(
  manifests: readonly ManifestFile[],
  firstRowId: bigint | null,
): { list: ManifestFile[]; nextRowId: bigint | null } {
  let nextRowId = firstRowId;
  const list = manifests.map((manifest) => {
    if (nextRowId === null || manifest.content !== "data") return { ...manifest, firstRowId: null };
    if (manifest.firstRowId !== null) return manifest;
    const assigned = { ...manifest, firstRowId: nextRowId };
    nextRowId += (manifest.addedRowsCount ?? 0n) + (manifest.existingRowsCount ?? 0n);
    return assigned;
  });
  return { list, nextRowId };
}

/** Counts are required since format version 2; lists of version 1 may lack them. */
export async function withCounts(
  manifest: ManifestFile,
  read: (manifest: ManifestFile) => ReturnType<typeof readManifest>,
): Promise<ManifestFile> {
  const { addedFilesCount, existingFilesCount, deletedFilesCount } = manifest;
  const { addedRowsCount, existingRowsCount, deletedRowsCount } = manifest;
  const counts = [
    addedFilesCount,
    existingFilesCount,
    deletedFilesCount,
    addedRowsCount,
    existingRowsCount,
    deletedRowsCount,
  ];
  if (!counts.includes(null)) return manifest;
  const entries = await read(manifest);
  const having = (status: string) => entries.filter((entry) => entry.status === status);
  const rows = (status: string) => having(status).reduce((sum, entry) => sum + entry.file.recordCount, 0n);
  return {
    ...manifest,
    addedFilesCount: having("added").length,
    existingFilesCount: having("existing").length,
    deletedFilesCount: having("deleted").length,
    addedRowsCount: rows("added"),
    existingRowsCount: rows("existing"),
    deletedRowsCount: rows("deleted"),
  };
}
