import { type FileIO, type LoadedTable, versionNumber } from "../../../table-format/index.ts";

/** What an object-store catalog calls metadata files. */
const METADATA_FILE = /\/(\d{5,15})-[^/]*$/;

/**
 * The first N whose `vN.metadata.json` goes with the table: the copy of the oldest version that its metadata log names. A writer that ended
 * between its commit and the trim has left older ones. Null where files of such names are no copies but the versions of another catalog:
 * only where the hint is an object-store catalog's are they ours.
 */
export async function firstCopyOf(
  io: Pick<FileIO, "readTagged">,
  { metadata, metadataLocation }: LoadedTable,
): Promise<number | null> {
  const hint = await io.readTagged(`${metadata.location}/metadata/version-hint.text`);
  if (hint === null || versionNumber(new TextDecoder().decode(hint.bytes).trim()) === null) return null;
  const named = [metadataLocation, ...metadata.metadataLog.map(({ metadataFile }) => metadataFile)];
  const versions = named.flatMap((location) => METADATA_FILE.exec(location)?.[1] ?? []).map(Number);
  return versions.length === 0 ? null : Math.min(...versions) + 1;
}
