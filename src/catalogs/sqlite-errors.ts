import { type ErrorKind, FrazilError } from "../core/errors.ts";

/** Primary result codes (https://sqlite.org/rescode.html); extended ones carry them in the low byte. */
const KIND_OF_CODE: ReadonlyMap<number, ErrorKind> = new Map([
  [3, "permission"], // SQLITE_PERM
  [5, "unavailable"], // SQLITE_BUSY: another process held the file for longer than the busy timeout
  [6, "unavailable"], // SQLITE_LOCKED
  [8, "permission"], // SQLITE_READONLY
  [10, "io"], // SQLITE_IOERR
  [11, "corrupt"], // SQLITE_CORRUPT
  [13, "io"], // SQLITE_FULL
  [14, "io"], // SQLITE_CANTOPEN
  [23, "permission"], // SQLITE_AUTH
  [26, "corrupt"], // SQLITE_NOTADB
]);

const HINTS: { readonly [kind in ErrorKind]?: string } = {
  unavailable: "another process keeps the catalog's file locked; end its transaction",
  io: "check that the disk has room and the folder exists",
  permission: "check who owns the catalog's file and its folder",
  corrupt: "check that the path names a SQLite file, and restore it from a copy",
};

/** An error of SQLite or of the file system in our words; errors of ours pass. */
export function sqliteError(cause: unknown, path: string): unknown {
  if (cause instanceof FrazilError || !(cause instanceof Error)) return cause;
  const { errcode, code } = cause as Error & { errcode?: number; code?: string };
  const denied = code === "EACCES" || code === "EPERM" || code === "EROFS";
  const kind =
    errcode === undefined ? (denied ? "permission" : "io") : (KIND_OF_CODE.get(errcode & 0xff) ?? "internal");
  return new FrazilError(kind, "CATALOG_FILE", `catalog ${path}: ${cause.message}`, { hint: HINTS[kind], cause });
}
