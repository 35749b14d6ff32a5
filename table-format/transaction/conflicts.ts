import { FrazilError } from "../errors.ts";
import type { LiveFile } from "../manifest/data-file.ts";
import { isLive, type ManifestEntry } from "../manifest/manifest-file.ts";
import { isDeletionVector } from "../puffin/deletion-vector.ts";
import { positionDeleteIndex } from "../scan/delete-index.ts";
import { equalityDeleteIndex } from "../scan/equality-deletes.ts";
import type { FileFilter } from "./file-filter.ts";
import type { OperationAttempt } from "./operation.ts";
import { startingSequenceNumber, type ValidationRange } from "./snapshot-operation.ts";
import type { Operation } from "./snapshot-producer.ts";
import { entriesSince } from "./validation-history.ts";

// Each check looks at what others have committed since the operation started, as the methods of the same name in Java's
// `MergingSnapshotProducer`. Which operations a check passes over is part of it: a `replace` moves rows and changes none.
const ADDED_DATA: readonly Operation[] = ["append", "overwrite"];
const ADDED_DELETES: readonly Operation[] = ["overwrite", "delete"];
const ADDED_VECTORS: readonly Operation[] = ["overwrite", "delete", "replace"];
const REMOVED_DATA: readonly Operation[] = ["overwrite", "replace", "delete"];
const REMOVED_DATA_BUT_DELETES: readonly Operation[] = ["overwrite", "replace"];

/** `validateAddedDataFiles`: nobody may have added files that can hold rows of the condition. */
export async function validateAddedDataFiles(
  attempt: OperationAttempt,
  range: ValidationRange,
  filter: FileFilter,
): Promise<void> {
  const [found] = await changedData(attempt, range, filter, "added", ADDED_DATA);
  if (found === undefined) return;
  throw conflict(
    "CONFLICTING_DATA",
    `found a conflicting data file that can contain rows matching ${filter.text}: ${found.file.filePath}`,
  );
}

/** `validateDeletedDataFiles`: nobody may have removed files that can hold rows of the condition. */
export async function validateDeletedDataFiles(
  attempt: OperationAttempt,
  range: ValidationRange,
  filter: FileFilter,
): Promise<void> {
  const [found] = await changedData(attempt, range, filter, "deleted", REMOVED_DATA);
  if (found === undefined) return;
  throw conflict(
    "CONFLICTING_REMOVAL",
    `found a conflicting removal of a data file that can contain rows matching ${filter.text}: ${found.file.filePath}`,
  );
}

/** `validateNoNewDeleteFiles`: nobody may have added deletes that can apply to rows of the condition. */
export async function validateNoNewDeleteFiles(
  attempt: OperationAttempt,
  range: ValidationRange,
  filter: FileFilter,
): Promise<void> {
  const [found] = await newDeletes(attempt, range, filter);
  if (found === undefined) return;
  throw conflict(
    "CONFLICTING_DELETES",
    `found a conflicting delete file that can apply to rows matching ${filter.text}: ${found.file.filePath}`,
  );
}

/** `validateNoNewDeletesForDataFiles`: nobody may have deleted rows of files that are to be replaced. */
export async function validateNoNewDeletesForDataFiles(
  attempt: OperationAttempt,
  range: ValidationRange,
  dataFiles: readonly LiveFile[],
  { filter, ignoreEqualityDeletes = false }: { filter?: FileFilter | undefined; ignoreEqualityDeletes?: boolean },
): Promise<void> {
  if (dataFiles.length === 0) return;
  const deletes = await newDeletes(attempt, range, filter);
  const ofPositions = positionDeleteIndex(deletes);
  const ofKeys = ignoreEqualityDeletes ? () => [] : equalityDeleteIndex(attempt.base, deletes);
  // Whatever the file's own number is: it was there when the operation started.
  const sequenceNumber = startingSequenceNumber(attempt.base, range);
  for (const { file, ...dataFile } of dataFiles) {
    const started = { ...dataFile, file, sequenceNumber };
    const [found] = [...ofPositions(started), ...ofKeys(started)];
    if (found === undefined) continue;
    throw conflict(
      "CONFLICTING_DELETES",
      `found new deletes for replaced data file ${file.filePath}: ${found.file.filePath}`,
    );
  }
}

/** `validateDataFilesExist`: nobody may have removed data files that the operation's deletes are about. */
export async function validateDataFilesExist(
  attempt: OperationAttempt,
  range: ValidationRange,
  paths: ReadonlySet<string>,
  { skipDeletes, filter }: { skipDeletes: boolean; filter?: FileFilter | undefined },
): Promise<void> {
  if (paths.size === 0) return;
  const [missing] = await entriesSince(
    attempt,
    range,
    "data",
    skipDeletes ? REMOVED_DATA_BUT_DELETES : REMOVED_DATA,
    ({ status, file }) =>
      status === "deleted" && paths.has(file.filePath) && (filter === undefined || filter.mightMatch(file)),
  );
  if (missing === undefined) return;
  throw conflict("MISSING_DATA_FILES", `expected live data file ${missing.file.filePath}, found it removed since`);
}

/** `validateAddedDVs`: nobody may have added a deletion vector for a data file that gets one. */
export async function validateAddedVectors(
  attempt: OperationAttempt,
  range: ValidationRange,
  dataFiles: ReadonlySet<string>,
): Promise<void> {
  if (dataFiles.size === 0) return;
  const [found] = await entriesSince(
    attempt,
    range,
    "deletes",
    ADDED_VECTORS,
    (entry) => isLive(entry) && isDeletionVector(entry.file) && dataFiles.has(entry.file.referencedDataFile ?? ""),
  );
  if (found === undefined) return;
  throw conflict(
    "CONFLICTING_VECTOR",
    `found a concurrently added deletion vector for ${found.file.referencedDataFile}: ${found.file.filePath}`,
  );
}

/** Data files that came or went since the operation started and that can hold rows of the condition. */
function changedData(
  attempt: OperationAttempt,
  range: ValidationRange,
  filter: FileFilter,
  change: "added" | "deleted",
  operations: readonly Operation[],
): Promise<ManifestEntry[]> {
  return entriesSince(
    attempt,
    range,
    "data",
    operations,
    ({ status, file }) => status === change && filter.mightMatch(file),
  );
}

/** Delete files that came since the operation started. */
async function newDeletes(
  attempt: OperationAttempt,
  range: ValidationRange,
  filter: FileFilter | undefined,
): Promise<ManifestEntry[]> {
  const after = startingSequenceNumber(attempt.base, range);
  return entriesSince(
    attempt,
    range,
    "deletes",
    ADDED_DELETES,
    (entry) =>
      entry.status === "added" &&
      entry.sequenceNumber > after &&
      (filter === undefined || filter.mightMatch(entry.file)),
  );
}

/** A conflict that a new attempt cannot cure: the change has to be made anew. */
function conflict(code: string, message: string): FrazilError {
  return new FrazilError("conflict", code, message, {
    hint: "another commit came between; load the table again and repeat the change",
  });
}
