import { FrazilError } from "../../table-format/index.ts";

/**
 * The path behind a location: `/abs/path`, `file:///abs/path` or `file:/abs/path` (as Java writes it). Nothing is percent-decoded:
 * `%2F` in a partition's folder is part of its name. Segments `.` and `..` are refused, so that a name taken from data or from
 * metadata never leaves its folder.
 *
 * @throws FrazilError `config`
 */
export function localPath(location: string): string {
  const path = location.startsWith("file://")
    ? location.slice("file://".length)
    : location.startsWith("file:/")
      ? location.slice("file:".length)
      : location;
  if (!path.startsWith("/") || path.includes("\0")) {
    throw new FrazilError(
      "config",
      "BAD_LOCATION",
      `a local location is an absolute path or file:///path, found ${JSON.stringify(location)}`,
      { hint: "s3:// locations need the settings of an object store" },
    );
  }
  if (path.split("/").some((segment) => segment === "." || segment === "..")) {
    throw new FrazilError("config", "BAD_LOCATION", `a location has no "." or ".." segments, found ${location}`);
  }
  return path;
}
