import { type ErrorKind, FrazilError } from "../../table-format/index.ts";

const KIND_OF_CODE: Readonly<Record<string, ErrorKind>> = {
  ENOENT: "not-found",
  ENOTDIR: "not-found",
  EACCES: "permission",
  EPERM: "permission",
};

const PERMISSION_HINT =
  "let the user that runs this read and write below the warehouse's folder, or run it as the owner of its files";

const HINT_OF_CODE: Readonly<Record<string, string>> = {
  EACCES: PERMISSION_HINT,
  EPERM: PERMISSION_HINT,
  ENOSPC: "free space on the disk, then start again",
  EDQUOT: "raise the quota of the disk, then start again",
  EROFS: "the file system is mounted read-only",
  EMFILE: "raise the limit of open files (ulimit -n)",
};

/** The code of a failed system call (`ENOSPC`), or undefined for any other error. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

/** A failed system call on `location` as the error that `FileIO` promises; `io` for all that is neither absent nor forbidden. */
export function localError(error: unknown, location: string): FrazilError {
  if (error instanceof FrazilError) return error;
  const code = systemCode(error);
  // Node's text names the code, which the error has, and the path, which may be that of a temporary file.
  const message = (error instanceof Error ? error.message : String(error)).replace(/^[A-Z]+: (.+?) '.*$/s, "$1");
  if (code === "ENOENT" || code === "ENOTDIR") {
    return new FrazilError("not-found", "OBJECT_NOT_FOUND", `${location} does not exist`, { cause: error });
  }
  return new FrazilError(KIND_OF_CODE[code ?? ""] ?? "io", code ?? "IO", `${location}: ${message}`, {
    hint: HINT_OF_CODE[code ?? ""],
    cause: error,
  });
}
