import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { nearest } from "../config/suggest.ts";
import { FrazilError } from "../core/errors.ts";

/** What to say of a file that cannot be read, for those who do not know Node's words. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is none",
  EISDIR: "it is a folder",
  ENOTDIR: "there is none",
  EACCES: "reading it is not permitted",
};

/** What a file should be, and how one is made. */
export interface FileWanted {
  readonly what: string;
  readonly code: string;
  readonly hint: string;
}

/**
 * Reads a text file that the user named.
 *
 * @throws FrazilError `config` with the code of what is wanted; of a name that is not there the hint names the nearest one.
 */
export function readNamedFile(path: string, { what, code, hint }: FileWanted): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const near = nearFile(path, cause);
    throw new FrazilError("config", code, `the ${what} ${path} cannot be read: ${whyUnread(cause)}`, {
      cause,
      hint: near === null ? hint : `did you mean ${near}?`,
    });
  }
}

/** Why a file could not be read. */
export function whyUnread(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  return REASONS[code ?? ""] ?? message;
}

function nearFile(path: string, cause: unknown): string | null {
  if ((cause as NodeJS.ErrnoException).code !== "ENOENT") return null;
  try {
    const folder = dirname(path);
    const near = nearest(basename(path), readdirSync(folder));
    return near === null ? null : join(folder, near);
  } catch {
    return null;
  }
}
