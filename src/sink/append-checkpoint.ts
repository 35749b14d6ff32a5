import type { CommitContext } from "../commit/context.ts";
import type { FileNames } from "../commit/names.ts";
import type { FileChanges } from "../commit/snapshot-change.ts";
import type { TrackedTable } from "../commit/tracked-table.ts";
import type { BufferedBatch } from "./changes/buffered-changes.ts";
import { fieldSources, writeDataFiles } from "./data-files.ts";
import type { CopyFilter } from "./dedupe/copy-filter.ts";
import { checkSchemaFits, type PreparedTable, sizeOf } from "./prepared-table.ts";
import { selectAll } from "./changes/selection.ts";

/**
 * Writes every buffered row to new data files: tables without a key to look up.
 * @param copies finds the rows that are copies of others, which are left out; null: none is.
 */
export async function prepareAppend(
  context: CommitContext,
  names: FileNames,
  table: TrackedTable,
  batches: readonly BufferedBatch[],
  copies: CopyFilter | null,
): Promise<PreparedTable> {
  const fresh = (await copies?.select(table, batches)) ?? null;
  const selection = fresh?.selection ?? selectAll(batches);
  const written = await writeDataFiles(context, table.loaded, names, selection.rows.length, (field) => ({
    sources: fieldSources(field, batches),
    sourceOf: selection.sourceOf,
    rows: selection.rows,
  }));
  const encodedFor = table.loaded;
  const rows = selection.rows.length;
  const counts = { rows, inserts: rows, updates: 0, deletes: 0, dropped: fresh?.dropped ?? 0, ...sizeOf(written, []) };
  return {
    part: {
      table,
      filesFor: async (base) => {
        checkSchemaFits(encodedFor, base);
        return { ...NOTHING_REMOVED, addedDataFiles: written.map(({ file }) => file), counts };
      },
    },
    unknown: [],
    committed: () => {
      fresh?.committed();
      return counts;
    },
  };
}

const NOTHING_REMOVED: FileChanges = {
  addedDataFiles: [],
  removedDataFiles: [],
  addedDeleteFiles: [],
  removedDeleteFiles: [],
};
