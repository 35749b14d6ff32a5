import {
  currentSchema,
  type FileIO,
  fieldById,
  isPrimitive,
  type LiveFile,
  type LoadedTable,
  planSnapshot,
  readDataFile,
  readDeletionVector,
  type RoaringBitmap,
  type Schema,
  type Snapshot,
} from "../../table-format/index.ts";
import { FrazilError, must } from "../core/errors.ts";
import { type FileEntry, FileTable } from "./file-table.ts";
import type { KeyResolver } from "./key-resolver.ts";
import { KEY_WORDS, keyWords } from "./key-words.ts";

/** What a keyed table's writer keeps of the table: its live files, their deleted rows, and where each key's row is. */
export interface TableState {
  readonly files: FileTable;
  readonly resolver: KeyResolver;
  /** Names of the key columns. */
  readonly key: readonly string[];
  /** Seed of key fingerprints. */
  readonly seed: number;
  /** The snapshot that `files` and `resolver` mirror; null before the first load. */
  snapshotId: bigint | null;
}

/**
 * Brings the state to the head of `base`, which differs from the mirrored snapshot at the start and after a foreign commit: files that are gone
 * are dropped, every file that is new is indexed (whoever wrote it), vectors that changed are read again. Key locations in dropped files
 * become stale and are recognised as such by their file number.
 *
 * @returns whether anything had to be done.
 * @throws FrazilError `unsupported` for live equality deletes and position delete files.
 */
export async function followHead(io: FileIO, state: TableState, base: LoadedTable): Promise<boolean> {
  const { metadata } = base;
  const head = metadata.currentSnapshotId;
  if (head === state.snapshotId) return false;
  const snapshot = metadata.snapshots.find((candidate) => candidate.snapshotId === head);
  const plan = await planOf(io, base, snapshot);
  const live = new Set(plan.dataFiles.map((file) => file.file.filePath));
  for (const [number, entry] of [...state.files]) {
    if (!live.has(entry.live.file.filePath)) state.files.remove(number);
  }
  const schema = currentSchema(base.metadata);
  const vectorOf = (file: LiveFile): LiveFile | null => plan.deletes.get(file.file.filePath)?.[0] ?? null;
  // Known files before new ones: a new file takes keys over from rows that a new vector deletes, and should this fail in between,
  // the next attempt must not take those vectors for the ones that the locations were learned under.
  for (const file of plan.dataFiles) {
    const known = state.files.numberOf(file.file.filePath);
    if (known !== null) await followVector(io, state, schema, known, vectorOf(file));
  }
  for (const file of plan.dataFiles) {
    if (state.files.numberOf(file.file.filePath) === null) await addFile(io, state, schema, file, vectorOf(file));
  }
  state.snapshotId = head;
  return true;
}

/**
 * Takes over a file's present vector. Where it deletes less than the last one (a rollback), rows live again whose keys may have been given
 * to other rows meanwhile: the file is indexed anew.
 */
async function followVector(
  io: FileIO,
  state: TableState,
  schema: Schema,
  number: number,
  vector: LiveFile | null,
): Promise<void> {
  const entry = must(state.files.get(number), "a numbered file is live");
  if (sameVector(entry.vector, vector)) return;
  const deleted = vector === null ? null : await readDeletionVector(io, vector.file);
  if (deletesAll(deleted, entry.deleted)) {
    entry.vector = vector;
    entry.deleted = deleted;
    return;
  }
  state.files.remove(number);
  await addFile(io, state, schema, entry.live, vector);
}

function deletesAll(deleted: RoaringBitmap | null, before: RoaringBitmap | null): boolean {
  if (before === null) return true;
  return deleted !== null && deleted.union(before).cardinality === deleted.cardinality;
}

async function planOf(io: FileIO, base: LoadedTable, snapshot: Snapshot | undefined) {
  const name = [...base.ident.namespace, base.ident.name].join(".");
  if (snapshot === undefined) return { dataFiles: [], deletes: new Map<string, LiveFile[]>() };
  const plan = await planSnapshot(io, base.metadata, snapshot);
  if (plan.hasEqualityDeletes) throw foreignDeletes(name, "equality delete files");
  for (const deletes of plan.deletes.values()) {
    if (deletes.some(({ file }) => file.fileFormat !== "PUFFIN")) throw foreignDeletes(name, "position delete files");
  }
  return plan;
}

function foreignDeletes(table: string, kind: string): FrazilError {
  return new FrazilError(
    "unsupported",
    "FOREIGN_DELETES",
    `table ${table} holds live ${kind}, which this version cannot take into account when it looks up keys; deletion vectors expected`,
    { hint: "rewrite the table's data files with the engine that wrote the deletes, then start the job again" },
  );
}

function sameVector(a: LiveFile | null, b: LiveFile | null): boolean {
  if (a === null || b === null) return a === b;
  return a.file.filePath === b.file.filePath && a.file.contentOffset === b.file.contentOffset;
}

/** Numbers a data file and indexes the keys of its live rows. */
async function addFile(
  io: FileIO,
  state: TableState,
  schema: Schema,
  live: LiveFile,
  vector: LiveFile | null,
): Promise<void> {
  const deleted = vector === null ? null : await readDeletionVector(io, vector.file);
  const entry: FileEntry = { live, vector, deleted };
  const number = state.files.add(entry);
  const fields = keyFields(schema, state.key);
  const ids = fields.map((field) => field.id);
  const types = fields.map((field) => field.type);
  let first = 0;
  try {
    for await (const batch of readDataFile(io, live.file, schema, ids)) {
      const keys = keyWords(batch.columns, types, state.key, batch.length, null, state.seed);
      const { keptKeys, positions } = liveRows(keys, first, batch.length, deleted);
      state.resolver.place(keptKeys, number, positions);
      first += batch.length;
    }
  } catch (error) {
    // Half indexed is not indexed: the next attempt must see the file as new.
    state.files.remove(number);
    throw error;
  }
}

function liveRows(keys: Uint32Array, first: number, length: number, deleted: RoaringBitmap | null) {
  const positions = new Uint32Array(length);
  if (deleted === null) {
    for (let row = 0; row < length; row++) positions[row] = first + row;
    return { keptKeys: keys, positions };
  }
  const keptKeys = new Uint32Array(keys.length);
  let kept = 0;
  for (let row = 0; row < length; row++) {
    if (deleted.has(first + row)) continue;
    keptKeys.set(keys.subarray(row * KEY_WORDS, (row + 1) * KEY_WORDS), kept * KEY_WORDS);
    positions[kept++] = first + row;
  }
  return { keptKeys: keptKeys.subarray(0, kept * KEY_WORDS), positions: positions.subarray(0, kept) };
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
