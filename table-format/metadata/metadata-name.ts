/** How the name of every metadata file ends, but for old compressed ones. */
export const METADATA_SUFFIX = ".metadata.json";

/** What stands before that in the name of a compressed one; older writers put it behind. */
export const GZIPPED = ".gz";

/** Whether a name is that of a compressed metadata file: all readers tell it by the name. */
export function isGzipped(location: string): boolean {
  return location.endsWith(GZIPPED + METADATA_SUFFIX) || location.endsWith(GZIPPED);
}
