import { type ErrorKind, FrazilError } from "../../table-format/index.ts";

const KIND_OF_CODE: Readonly<Record<string, ErrorKind>> = {
  ENOENT: "not-found",
  ENOTDIR: "not-found",
  EACCES: "permission",
  EPERM: "permission",
};

const HINT_OF_CODE: Readonly<Record<string, string>> = {
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
  const message = error instanceof Error ? error.message : String(error);
  if (code === "ENOENT" || code === "ENOTDIR") {
    return new FrazilError("not-found", "OBJECT_NOT_FOUND", `${location} does not exist`, { cause: error });
  }
  return new FrazilError(KIND_OF_CODE[code ?? ""] ?? "io", code ?? "IO", `${location}: ${message}`, {
    hint: HINT_OF_CODE[code ?? ""],
    cause: error,
  });
}
