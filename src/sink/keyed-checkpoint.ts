import { currentSchema, type LiveFile, type LoadedTable, type NestedField } from "../../table-format/index.ts";
import type { CommitContext } from "../commit/context.ts";
import type { FileNames } from "../commit/names.ts";
import type { FileChanges } from "../commit/snapshot-change.ts";
import type { TrackedTable } from "../commit/tracked-table.ts";
import { FrazilError, must } from "../core/errors.ts";
import type { TableCounts } from "../core/figures.ts";
import { planWithAbsent } from "./absent-values.ts";
import type { BufferedBatch } from "./buffered-changes.ts";
import { type ColumnPlan, fieldSources, type WrittenDataFile, writeDataFiles } from "./data-files.ts";
import { type Deletions, resolveDeletions, truncation } from "./deletions.ts";
import type { FileTable } from "./file-table.ts";
import type { Judgement } from "./judge-changes.ts";
import { KEY_WORDS } from "./key-words.ts";
import { findPartialChanges, type PartialChanges } from "./partial-changes.ts";
import { checkSchemaFits, type PreparedTable, sizeOf } from "./prepared-table.ts";
import { type Selection, selectLast } from "./selection.ts";
import { followHead, type TableState } from "./table-state.ts";

/**
 * Writes the last row of each key to new data files and, once the base of the commit is known, looks up the rows that they replace.
 *
 * @param state at the head of the table as it is loaded.
 * @param keysOf the keys of each batch's rows.
 * @param judge finds the changes that the table does not take as it is mirrored.
 * @param target the table's name in messages. @param namesFor gives names for the files of the present commit.
 */
export async function prepareKeyed(
  context: CommitContext,
  target: string,
  namesFor: () => FileNames,
  table: TrackedTable,
  state: TableState,
  batches: readonly BufferedBatch[],
  keysOf: readonly Uint32Array[],
  judge: () => Promise<Judgement | null>,
): Promise<PreparedTable> {
  const encode = async () => {
    const judged = await judge();
    const partial = await findPartialChanges(target, state.key, batches, keysOf, state.resolver, judged?.dropped);
    const selection = selectLast(batches, keysOf, partial?.left ?? judged?.dropped);
    await state.resolver.reserve(selection.rows.length);
    const rows = await encodeRows(context, namesFor(), table.loaded, state, batches, partial, selection);
    const readFrom = rows.fromTable || judged?.fromTable === true ? { snapshotId: state.snapshotId } : null;
    return { written: rows.written, selection, readFrom, unknown: partial?.unknown ?? [], dropped: judged?.count ?? 0 };
  };
  const encodedFor = table.loaded;
  let encoded = await encode();
  const { unknown } = encoded;
  let resolved: { readonly base: bigint | null; readonly version: number; readonly deletions: Deletions } | null = null;
  const filesFor = async (base: LoadedTable): Promise<FileChanges> => {
    checkSchemaFits(encodedFor, base);
    await followHead(context, state, base);
    if (encoded.readFrom !== null && !sameRows(base, encoded.readFrom)) {
      encoded = await encode();
      // A letter that the checkpoint lacks, or one too many.
      if (!sameUnknown(unknown, encoded.unknown)) throw staleValues(table.name);
      resolved = null;
    }
    const { selection, written, dropped } = encoded;
    const version = base.metadata.formatVersion;
    if (resolved === null || resolved.base !== state.snapshotId || resolved.version !== version) {
      const deletions = await deletionsOf(context, state, selection, namesFor(), version);
      resolved = { base: state.snapshotId, version, deletions };
    }
    const counts = countsOf(selection, written, resolved.deletions, dropped);
    return { ...fileChanges(state.files, written, resolved.deletions), counts };
  };
  return {
    part: { table, filesFor },
    unknown,
    committed: () => {
      const deletions = must(resolved, "a committed checkpoint was resolved").deletions;
      const { selection, written, dropped } = encoded;
      applyCommitted(state, table, selection, written, deletions);
      return countsOf(selection, written, deletions, dropped);
    },
  };
}

interface EncodedRows {
  readonly written: readonly WrittenDataFile[];
  /** Whether values of partial changes were read from the table. */
  readonly fromTable: boolean;
}

/** Writes the selected rows, with what partial changes leave out from the table as it is mirrored. */
async function encodeRows(
  { io, runtime }: CommitContext,
  names: FileNames,
  table: LoadedTable,
  state: TableState,
  batches: readonly BufferedBatch[],
  partial: PartialChanges | null,
  selection: Selection,
): Promise<EncodedRows> {
  const schema = currentSchema(table.metadata);
  const plans = new Map<NestedField, ColumnPlan>();
  let fromTable = false;
  for (const field of schema.fields) {
    if (partial === null) break;
    const merged = await planWithAbsent(io, schema, field, batches, partial, selection, state);
    plans.set(field, merged.plan);
    fromTable ||= merged.fromTable;
  }
  const { sourceOf, rows } = selection;
  const planOf = (field: NestedField): ColumnPlan =>
    plans.get(field) ?? { sources: fieldSources(field, batches), sourceOf, rows };
  const written = await writeDataFiles(io, runtime, table, names, rows.length, planOf);
  return { written, fromTable };
}

/** Whether the table's rows are those of an earlier snapshot: only compactions lie between (Iceberg spec, "Snapshots": `replace`). */
function sameRows({ metadata }: LoadedTable, { snapshotId }: { readonly snapshotId: bigint | null }): boolean {
  let at = metadata.currentSnapshotId;
  while (at !== snapshotId) {
    const snapshot = metadata.snapshots.find((candidate) => candidate.snapshotId === at);
    if (snapshot === undefined || snapshot.summary.get("operation") !== "replace") return false;
    at = snapshot.parentSnapshotId;
  }
  return true;
}

function sameUnknown(a: PartialChanges["unknown"], b: PartialChanges["unknown"]): boolean {
  return (
    a.length === b.length && a.every(({ batch, row }, index) => batch === b[index]?.batch && row === b[index]?.row)
  );
}

async function deletionsOf(
  { io, runtime }: CommitContext,
  state: TableState,
  selection: Selection,
  names: FileNames,
  formatVersion: number,
): Promise<Deletions> {
  if (selection.truncated) return truncation(state.files);
  return resolveDeletions(
    io,
    runtime,
    names,
    formatVersion,
    state.files,
    state.resolver,
    selection.keys,
    selection.deletedKeys,
  );
}

function fileChanges(files: FileTable, written: readonly WrittenDataFile[], deletions: Deletions): FileChanges {
  return {
    addedDataFiles: written.map(({ file }) => file),
    removedDataFiles: deletions.deadFiles.map((number) => must(files.get(number), "a dead file is still live").live),
    addedDeleteFiles: [...deletions.written.values()].map(({ entry }) => entry),
    removedDeleteFiles: [...deletions.replaced],
  };
}

/** What a checkpoint does to a keyed table, as of one base. */
function countsOf(
  selection: Selection,
  written: readonly WrittenDataFile[],
  deletions: Deletions,
  dropped: number,
): TableCounts {
  const rows = selection.rows.length;
  const { updates, deletes } = deletions;
  const vectors = [...deletions.written.values()].map(({ entry }) => entry);
  return { rows, inserts: rows - updates, updates, deletes, dropped, ...sizeOf(written, vectors) };
}

/** The committed files and deletes become part of the mirrored state, and the keys point to their new rows. */
function applyCommitted(
  state: TableState,
  table: TrackedTable,
  selection: Selection,
  written: readonly WrittenDataFile[],
  deletions: Deletions,
): void {
  const head = must(
    table.loaded.metadata.snapshots.find((snapshot) => snapshot.snapshotId === table.tagSnapshotId),
    "the committed snapshot is in the metadata",
  );
  const liveFile = (file: LiveFile["file"]): LiveFile => ({
    file,
    snapshotId: head.snapshotId,
    sequenceNumber: head.sequenceNumber,
    fileSequenceNumber: head.sequenceNumber,
  });
  if (selection.truncated) state.resolver.clear();
  for (const number of deletions.deadFiles) state.files.remove(number);
  for (const [number, { bitmap, entry }] of deletions.written) {
    const file = must(state.files.get(number), "a file with new deletes is live");
    file.deleted = bitmap;
    file.deletes = [liveFile(entry)];
  }
  state.resolver.forget(selection.deletedKeys);
  for (const { file, members } of written) {
    const number = state.files.add({ live: liveFile(file), deletes: [], deleted: null });
    const keys = new Uint32Array(members.length * KEY_WORDS);
    for (let i = 0; i < members.length; i++) {
      const at = (members[i] as number) * KEY_WORDS;
      for (let word = 0; word < KEY_WORDS; word++) keys[i * KEY_WORDS + word] = selection.keys[at + word] as number;
    }
    state.resolver.place(
      keys,
      number,
      Uint32Array.from(members, (_, position) => position),
    );
  }
  state.snapshotId = head.snapshotId;
}

/** Values that were read from the table for updates that left them out may have changed since. */
function staleValues(table: string): FrazilError {
  return new FrazilError(
    "conflict",
    "VALUES_MOVED",
    `table ${table} was changed by somebody else after values for partial updates were read from it`,
    { hint: "start the job again: it writes the checkpoint anew" },
  );
}
