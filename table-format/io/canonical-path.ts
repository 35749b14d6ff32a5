/** Decodings of a location that was encoded more than once. */
const MAX_DECODINGS = 3;

/**
 * A form in which two spellings of one location are equal: without scheme and authority (`s3` and `s3a`, `/lake` and `file:///lake`),
 * percent-encoding undone, single slashes, none at the end. Different locations may come out equal; for finding orphans that errs on the
 * side of keeping a file.
 */
export function canonicalPath(location: string): string {
  let path = location;
  // Each engine may have encoded what another had encoded before.
  for (let i = 0; i < MAX_DECODINGS && path.includes("%"); i++) path = decoded(path);
  // `s3://bucket/key`, `file:///key`, `file:/key`; a bucket counts as authority.
  return `/${path.replace(/^[a-z][a-z0-9+.-]*:(?:\/\/[^/]*)?/i, "")}`
    .replace(/\/(?:\.?\/)+/g, "/")
    .replace(/(?<=.)\/+$/, "")
    .normalize("NFC");
}

/**
 * Where a location may lie below its table, in the form of `canonicalPath`: from each of its parts on that is a folder which writers use. The
 * way to the table's folder is left out, as it has many names: symbolic links, aliases of a store, letters whose case does not count.
 */
export function* placesInTable(location: string): Generator<string> {
  const path = canonicalPath(location);
  for (const { index } of path.matchAll(/\/(?=(?:data|metadata|_scratch)\/)/g)) yield path.slice(index);
}

/** Whether a location is the folder itself or lies below it, in the same bucket. */
export function isWithin(folder: string, location: string): boolean {
  const outer = canonicalPath(folder);
  const inner = canonicalPath(location);
  return bucketOf(folder) === bucketOf(location) && (inner === outer || inner.startsWith(`${outer}/`));
}

function bucketOf(location: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\/([^/]*)/i.exec(location)?.[1]?.toLowerCase() ?? "";
}

/** As it is where the percent sign encodes nothing. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
