import { identText, type LiveFile, type LoadedTable } from "../../table-format/index.ts";
import type { CheckpointPart } from "../commit/pipeline-committer.ts";
import { FrazilError } from "../core/errors.ts";
import type { TableCounts } from "../core/figures.ts";
import type { WrittenDataFile } from "./data-files.ts";
import type { UnknownRow } from "./changes/partial-changes.ts";

/** A table's part of a checkpoint, its files durable but unreferenced. */
export interface PreparedTable {
  readonly part: CheckpointPart;
  /** Changes that were left out, with the other rows of their messages: what they change is not known. */
  readonly unknown: readonly UnknownRow[];
  /** Takes the committed checkpoint over into the writer's state and drops the buffered changes. */
  committed(): TableCounts;
}

/** Files that a checkpoint added. Deletion vectors that share a Puffin file count with their own bytes of it, and the file once. */
export function sizeOf(
  written: readonly WrittenDataFile[],
  deleteFiles: readonly LiveFile["file"][],
): Pick<TableCounts, "files" | "bytes"> {
  const added = [...written.map(({ file }) => file), ...deleteFiles];
  const bytes = added.reduce((sum, file) => sum + Number(file.contentSizeBytes ?? file.fileSizeBytes), 0);
  return { files: new Set(added.map(({ filePath }) => filePath)).size, bytes };
}

/** Files encoded for one schema fit a later one when its columns that they hold are unchanged. @throws FrazilError `conflict` when not. */
export function checkSchemaFits(encodedFor: LoadedTable, base: LoadedTable): void {
  if (
    encodedFor.metadata.currentSchemaId === base.metadata.currentSchemaId &&
    encodedFor.metadata.defaultSpecId === base.metadata.defaultSpecId
  )
    return;
  throw new FrazilError(
    "conflict",
    "SCHEMA_MOVED",
    `the schema or partition spec of table ${identText(base.ident)} was changed by somebody else while a checkpoint was being written`,
    { hint: "start the job again: it writes the checkpoint anew" },
  );
}
