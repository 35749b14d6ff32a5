import { FrazilError } from "../errors.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import type { FileIO } from "./file-io.ts";

/** Properties that name further places of a table's files (Iceberg's table properties; the last two are older names of the first). */
const PATH_PROPERTIES = [
  "write.data.path",
  "write.metadata.path",
  "write.object-storage.path",
  "write.folder-storage.path",
];

/** Where a table's files may lie: its location, the paths that its properties name, and what the caller adds. */
export function tableRoots(metadata: TableMetadata, further: readonly string[] = []): string[] {
  const named = PATH_PROPERTIES.flatMap((key) => metadata.properties.get(key) ?? []);
  return [metadata.location, ...named, ...further].map((root) => root.replace(/\/+$/, ""));
}

/** What a caller who names roots is told to do. */
const NAME_ROOTS = "if the table's files rightly lie there, add that folder to the roots";

/**
 * Lets through locations below some roots. Comparing is by text, as locations are; `.` and `..` are not allowed in a path.
 *
 * @param hint how a user allows a further folder
 * @throws FrazilError kind `permission` naming the location
 */
export function insideOf(roots: readonly string[], hint = NAME_ROOTS): (location: string) => string {
  return (location) => {
    const below = roots.some((root) => location === root || location.startsWith(`${root}/`));
    if (below && !/(?:^|[/\\])\.{1,2}(?:[/\\]|$)/.test(location)) return location;
    const message = `${location}: expected a location below ${roots.join(" or ")}`;
    throw new FrazilError("permission", "OUTSIDE_TABLE", message, { hint });
  };
}

/**
 * A store that reaches only what lies below some roots: for tables whose metadata and manifests somebody else wrote, which may name
 * any file. Files outside are legal Iceberg (`add_files` leaves them where they were); whoever reads such a table names their folders
 * as roots, too.
 *
 * @param hint as of `insideOf`
 * @throws FrazilError as `insideOf`, from every method
 */
export function confinedTo(io: FileIO, roots: readonly string[], hint = NAME_ROOTS): FileIO {
  const inside = insideOf(roots, hint);
  return {
    read: async (location) => io.read(inside(location)),
    readRange: async (location, offset, length) => io.readRange(inside(location), offset, length),
    stat: async (location) => io.stat(inside(location)),
    readTagged: async (location) => io.readTagged(inside(location)),
    write: async (location, bytes) => io.write(inside(location), bytes),
    openWrite: async (location) => io.openWrite(inside(location)),
    create: async (location, bytes) => io.create(inside(location), bytes),
    replace: async (location, bytes, etag) => io.replace(inside(location), bytes, etag),
    list: (prefix) => io.list(inside(prefix)),
    delete: async (location) => io.delete(inside(location)),
  };
}
