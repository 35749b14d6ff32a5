/** How the name of every metadata file ends, but for old compressed ones. */
export const METADATA_SUFFIX = ".metadata.json";

/** What stands before that in the name of a compressed one; older writers put it behind. */
export const GZIPPED = ".gz";

const VERSION_NAME = /^(\d{5,})-[0-9a-f-]{36}(?:\.gz)?$/i;

/**
 * The number of a version by the name of its metadata file without the end, `NNNNN-<uuid>` or `NNNNN-<uuid>.gz`: what the hint of an
 * object-store catalog holds. Null for any other name.
 */
export function versionNumber(name: string): number | null {
  const digits = VERSION_NAME.exec(name)?.[1];
  return digits === undefined ? null : Number(digits);
}

/** Whether a name is that of a compressed metadata file: all readers tell it by the name. */
export function isGzipped(location: string): boolean {
  return location.endsWith(GZIPPED + METADATA_SUFFIX) || location.endsWith(GZIPPED);
}
