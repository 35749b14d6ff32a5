import {
  contentKey,
  type DataFile,
  type DeletedPositions,
  deletedPositions,
  type FileIO,
  fieldById,
  isPrimitive,
  type LiveFile,
  type LoadedTable,
  type ManifestCache,
  planSnapshot,
  readDataFile,
  type RoaringBitmap,
  type Schema,
  type Snapshot,
} from "../../../table-format/index.ts";
import type { SnapshotStore } from "../../commit/snapshot-change.ts";
import { FrazilError, must } from "../../core/errors.ts";
import { type FileEntry, FileTable } from "./file-table.ts";
import type { KeyResolver } from "./key-resolver.ts";
import { keyWords } from "./key-words.ts";

/** What a keyed table's writer keeps of the table: its live files, their deleted rows, and where each key's row is. */
export interface TableState {
  readonly files: FileTable;
  readonly resolver: KeyResolver;
  /** Names of the key columns. */
  readonly key: readonly string[];
  /** Seed of key fingerprints. */
  readonly seed: number;
  /** The snapshot that `files` and `resolver` mirror; null before the first load, and where one has failed half-way. */
  snapshotId: bigint | null;
}

/**
 * Brings the state to the head of `base`, which differs from the mirrored snapshot at the start and after a foreign commit: files that are gone
 * are dropped, every file that is new is indexed (whoever wrote it), deletes that changed are read again. Key locations in dropped files
 * become stale and are recognised as such by their file number.
 *
 * @param stop ends the reading of keys, with the signal's reason as error. @returns whether anything had to be done.
 * @throws FrazilError `unsupported` for live equality deletes.
 */
export async function followHead(
  { io, manifests }: SnapshotStore,
  state: TableState,
  base: LoadedTable,
  stop?: AbortSignal,
): Promise<boolean> {
  const { metadata } = base;
  const head = metadata.currentSnapshotId;
  if (head !== null && head === state.snapshotId) return false;
  const snapshot = metadata.snapshots.find((candidate) => candidate.snapshotId === head);
  const plan = await planOf(io, manifests, base, snapshot);
  // Until all is followed it mirrors none: should that fail, the snapshot before may be the head again.
  state.snapshotId = null;
  const live = new Set(plan.dataFiles.map((file) => file.file.filePath));
  for (const [number, entry] of [...state.files]) {
    if (!live.has(entry.live.file.filePath)) state.files.remove(number);
  }
  const changed = await changedDeletes(io, state.files, plan.dataFiles, plan.deletes);
  // Deletes before keys: a new file takes keys over from rows that new deletes take out. Should reading keys fail, the next attempt finds
  // them still unknown.
  for (const { live: file, number, deletes, deleted } of changed) {
    if (number !== null) followDeletes(state.files, number, { live: file, deletes, deleted });
    else state.files.add({ live: file, deletes, deleted });
  }
  await state.resolver.cover(stop);
  state.snapshotId = head;
  return true;
}

/** A data file that the state does not mirror as it is, under its number if it has one. */
interface ChangedFile extends FileEntry {
  readonly number: number | null;
}

/** The files that are new or whose deletes differ, with their deletes read: all at once, as vectors of one commit lie together. */
async function changedDeletes(
  io: FileIO,
  files: FileTable,
  dataFiles: readonly LiveFile[],
  deletesOf: ReadonlyMap<string, readonly LiveFile[]>,
): Promise<ChangedFile[]> {
  const reader = deletedPositions(io);
  const changed: Promise<ChangedFile>[] = [];
  for (const live of dataFiles) {
    const number = files.numberOf(live.file.filePath);
    const deletes = deletesOf.get(live.file.filePath) ?? [];
    const known = number === null ? null : must(files.get(number), "a numbered file is live");
    if (known !== null && sameDeletes(known.deletes, deletes)) continue;
    changed.push(readDeleted(reader, live.file, deletes).then((deleted) => ({ live, number, deletes, deleted })));
  }
  return Promise.all(changed);
}

async function readDeleted(reader: DeletedPositions, file: DataFile, deletes: readonly LiveFile[]) {
  return deletes.length === 0 ? null : reader.of(file, deletes);
}

/**
 * Takes over a file's present deletes. Where they take out less than the last ones (a rollback), rows live again whose keys may have been
 * given to other rows meanwhile: the file gets a new number, under which its keys are learned again.
 */
function followDeletes(files: FileTable, number: number, present: FileEntry): void {
  const entry = must(files.get(number), "a numbered file is live");
  if (deletesAll(present.deleted, entry.deleted)) {
    entry.deletes = present.deletes;
    entry.deleted = present.deleted;
    return;
  }
  files.remove(number);
  files.add(present);
}

function deletesAll(deleted: RoaringBitmap | null, before: RoaringBitmap | null): boolean {
  if (before === null) return true;
  return deleted !== null && deleted.union(before).cardinality === deleted.cardinality;
}

async function planOf(io: FileIO, manifests: ManifestCache, base: LoadedTable, snapshot: Snapshot | undefined) {
  const name = [...base.ident.namespace, base.ident.name].join(".");
  if (snapshot === undefined) return { dataFiles: [], deletes: new Map<string, LiveFile[]>() };
  const plan = await planSnapshot(io, base.metadata, snapshot, manifests);
  if (plan.hasEqualityDeletes) throw equalityDeletes(name);
  return plan;
}

function equalityDeletes(table: string): FrazilError {
  return new FrazilError(
    "unsupported",
    "FOREIGN_DELETES",
    `table ${table} holds live equality delete files, which this version cannot take into account when it looks up keys; deletion vectors or position delete files expected`,
    { hint: "rewrite the table's data files with the engine that wrote the deletes, then start the job again" },
  );
}

function sameDeletes(a: readonly LiveFile[], b: readonly LiveFile[]): boolean {
  if (a.length !== b.length) return false;
  const keys = new Set(a.map(({ file }) => contentKey(file)));
  return b.every(({ file }) => keys.has(contentKey(file)));
}

/** The keys of a data file's rows, live or not, under the table's present types. */
export async function* fileKeys(
  io: FileIO,
  schema: Schema,
  key: readonly string[],
  seed: number,
  file: DataFile,
): AsyncGenerator<Uint32Array> {
  const fields = keyFields(schema, key);
  const ids = fields.map((field) => field.id);
  const types = fields.map((field) => field.type);
  for await (const batch of readDataFile(io, file, schema, ids)) {
    yield keyWords(batch.columns, types, key, batch.length, null, seed);
  }
}

/** The key's fields with their types. @throws FrazilError `data` when a key column is gone from the table. */
export function keyFields(schema: Schema, key: readonly string[]) {
  return key.map((name) => {
    const field = schema.fields.find((candidate) => candidate.name === name);
    if (field === undefined || !isPrimitive(field.type)) {
      throw new FrazilError("data", "KEY_COLUMN", `key column ${name} is not a plain column of the table`, {
        hint: `columns: ${schema.fields.map((candidate) => candidate.name).join(", ")}`,
      });
    }
    return { id: field.id, name, type: field.type };
  });
}

/** Names of the table's identifier fields; empty when it declares none. */
export function identifierNames(schema: Schema): readonly string[] {
  return schema.identifierFieldIds.map((id) => must(fieldById(schema, id), "an identifier field exists").name);
}
