import { currentSchema, type LiveFile, type LoadedTable, type NestedField } from "../../table-format/index.ts";
import type { CommitContext } from "../commit/context.ts";
import type { FileNames } from "../commit/names.ts";
import type { FileChanges } from "../commit/snapshot-change.ts";
import type { TrackedTable } from "../commit/tracked-table.ts";
import { must } from "../core/errors.ts";
import type { TableCounts } from "../core/figures.ts";
import { movesRows, onlySince } from "../core/table-history.ts";
import { planWithAbsent } from "./changes/absent-values.ts";
import type { BufferedBatch } from "./changes/buffered-changes.ts";
import { CheckpointLookups, type KeyLookup } from "./keys/checkpoint-lookups.ts";
import {
  ascending,
  type ColumnPlan,
  fieldSources,
  refuseNested,
  type WrittenDataFile,
  writeDataFiles,
} from "./data-files.ts";
import { type Deletions, resolveDeletions, truncation } from "./deletions.ts";
import type { FileTable } from "./keys/file-table.ts";
import type { Judgement } from "./changes/judge-changes.ts";
import { KEY_WORDS } from "./keys/key-words.ts";
import {
  findPartialChanges,
  hasPartialChanges,
  type PartialChanges,
  type UnknownRow,
} from "./changes/partial-changes.ts";
import { checkSchemaFits, type PreparedTable, sizeOf } from "./prepared-table.ts";
import { type Selection, selectLast } from "./changes/selection.ts";
import { followHead, type TableState } from "./keys/table-state.ts";

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
  judge: (lookups: KeyLookup) => Promise<Judgement | null>,
): Promise<PreparedTable> {
  const lookups = new CheckpointLookups(state);
  const write = async (letters: PartialChanges["letters"]): Promise<WrittenRows> => {
    const judged = await judge(lookups);
    const leave = eitherRow(batches, judged?.dropped ?? [], letters);
    const partial = await findPartialChanges(target, state.key, batches, keysOf, lookups, leave);
    const selection = selectLast(batches, keysOf, partial?.left ?? leave);
    await state.resolver.reserve(selection.rows.length);
    const keys = changedKeys(selection);
    // Rows are encoded while others read: keys are looked up on the table as it is now, which mostly stays so until the commit.
    const [lookedUp, encoded] = await Promise.allSettled([
      selection.truncated ? null : lookups.resolve(keys),
      writeRows(context, namesFor(), table.loaded, state, batches, partial, selection),
    ]);
    if (lookedUp.status === "rejected") throw lookedUp.reason;
    if (encoded.status === "rejected") throw encoded.reason;
    const files = encoded.value;
    const asOf = partial === null && judged?.fromTable !== true ? null : { snapshotId: state.snapshotId };
    const { unknown, letters: lettered } = partial ?? { unknown: [], letters: [] };
    return { files, selection, keys, unknown, letters: lettered, dropped: judged?.count ?? 0, asOf };
  };
  if (hasPartialChanges(batches)) await followPresent(context, state, table);
  const encodedFor = table.loaded;
  let rows = await write([]);
  // What has become a letter stays one, with the rest of its message, whatever rows there are then.
  const { unknown, letters } = rows;
  let resolved: { readonly base: bigint | null; readonly version: number; readonly deletions: Deletions } | null = null;
  const filesFor = async (base: LoadedTable): Promise<FileChanges> => {
    checkSchemaFits(encodedFor, base);
    if (await followHead(context, state, base)) {
      // Also where the snapshot is one that it has mirrored before: files have other numbers since.
      resolved = null;
      lookups.clear();
    }
    // Changes of a row that somebody has deleted since it was read count as made before.
    if (rows.asOf !== null && !onlySince(base.metadata, rows.asOf.snapshotId, movesRows)) {
      rows = await write(letters);
      resolved = null;
    }
    const version = base.metadata.formatVersion;
    if (resolved === null || resolved.base !== state.snapshotId || resolved.version !== version) {
      const deletions = await deletionsOf(context, state, lookups, rows, namesFor(), version);
      resolved = { base: state.snapshotId, version, deletions };
    }
    const counts = countsOf(rows.selection, rows.files, resolved.deletions, rows.dropped);
    return { ...fileChanges(state.files, rows.files, resolved.deletions), counts };
  };
  return {
    part: { table, filesFor },
    unknown,
    committed: () => {
      const deletions = must(resolved, "a committed checkpoint was resolved").deletions;
      applyCommitted(state, table, rows.selection, rows.files, deletions);
      return countsOf(rows.selection, rows.files, deletions, rows.dropped);
    },
  };
}

interface WrittenRows {
  readonly files: readonly WrittenDataFile[];
  readonly selection: Selection;
  /** See `changedKeys`. */
  readonly keys: Uint32Array;
  readonly unknown: readonly UnknownRow[];
  readonly letters: PartialChanges["letters"];
  /** How many of them the table does not take. */
  readonly dropped: number;
  /** The snapshot whose rows decided what is written; null when none did. */
  readonly asOf: { readonly snapshotId: bigint | null } | null;
}

/** Keys of rows to be written, and then of deleted ones. */
function changedKeys({ keys, deletedKeys }: Selection): Uint32Array {
  const changed = new Uint32Array(keys.length + deletedKeys.length);
  changed.set(keys);
  changed.set(deletedKeys, keys.length);
  return changed;
}

/** Rows that one or the other names. */
function eitherRow(batches: readonly BufferedBatch[], a: Judgement["dropped"], b: PartialChanges["letters"]) {
  return batches.map((_, source) => {
    const [one, other] = [a[source] ?? null, b[source] ?? null];
    return one === null || other === null ? (one ?? other) : one.map((flag, row) => flag | (other[row] as number));
  });
}

/** Goes on to the newest snapshot: values that are read later than needed are read in vain when somebody else has committed. */
async function followPresent(context: CommitContext, state: TableState, table: TrackedTable): Promise<void> {
  const present = await context.catalog.loadTable(table.loaded.ident);
  // That it is gone, or another one, is told at the commit.
  if (present?.metadata.tableUuid !== table.loaded.metadata.tableUuid) return;
  await followHead(context, state, present);
}

/** Writes the selected rows, with what partial changes leave out from the table as it is mirrored. */
async function writeRows(
  context: CommitContext,
  names: FileNames,
  table: LoadedTable,
  state: TableState,
  batches: readonly BufferedBatch[],
  partial: PartialChanges | null,
  selection: Selection,
): Promise<WrittenDataFile[]> {
  const plans = new Map<NestedField, ColumnPlan>();
  const schema = currentSchema(table.metadata);
  if (selection.rows.length > 0) refuseNested(schema);
  for (const field of schema.fields) {
    if (partial === null) break;
    plans.set(field, await planWithAbsent(context.io, schema, field, batches, partial, selection, state));
  }
  const { sourceOf, rows } = selection;
  return writeDataFiles(
    context,
    table,
    names,
    rows.length,
    (field) => plans.get(field) ?? { sources: fieldSources(field, batches), sourceOf, rows },
  );
}

async function deletionsOf(
  { io, runtime }: CommitContext,
  state: TableState,
  lookups: KeyLookup,
  { selection, keys }: WrittenRows,
  names: FileNames,
  formatVersion: number,
): Promise<Deletions> {
  if (selection.truncated) return truncation(state.files);
  return resolveDeletions(io, runtime, names, formatVersion, state.files, lookups, keys, selection.rows.length);
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
    state.resolver.place(keys, number, ascending(members.length));
  }
  state.snapshotId = head.snapshotId;
}
