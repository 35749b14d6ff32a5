import { compareBytes } from "../values/single-value.ts";
import type { DataFile } from "./data-file.ts";

/** `file_path` of position delete files (spec, "Position Delete Files"). */
export const DELETE_FILE_PATH_ID = 2147483546;

const fromUtf8 = new TextDecoder();

/**
 * The one data file that a delete file is about: of a deletion vector, or of a position delete file that says so by
 * `referenced_data_file` or by equal bounds of its path column. Null when it may be about several.
 */
export function scopedDataFile(file: DataFile): string | null {
  if (file.content !== "position-deletes") return null;
  if (file.referencedDataFile !== null) return file.referencedDataFile;
  const lower = file.lowerBounds?.get(DELETE_FILE_PATH_ID);
  const upper = file.upperBounds?.get(DELETE_FILE_PATH_ID);
  if (lower === undefined || upper === undefined || compareBytes(lower, upper) !== 0) return null;
  return fromUtf8.decode(lower);
}

/** What identifies a file within a snapshot: its path, and for deletion vectors where its blob lies in the shared Puffin file. */
export function contentKey(file: DataFile): string {
  return file.contentOffset === null ? file.filePath : `${file.filePath}#${file.contentOffset}`;
}
