import {
  currentSchema,
  type LiveFile,
  type LoadedTable,
  type NestedField,
  nullColumn,
} from "../../table-format/index.ts";
import { evolveTable } from "../commit/evolve-table.ts";
import type { CommitContext } from "../commit/context.ts";
import type { FileNames } from "../commit/names.ts";
import type { CheckpointPart, PipelineCommitter } from "../commit/pipeline-committer.ts";
import type { FileChanges } from "../commit/snapshot-change.ts";
import { MODE_PROPERTY } from "../commit/table-mode.ts";
import type { TrackedTable } from "../commit/tracked-table.ts";
import { type ChangeBatch, Op } from "../core/change-batch.ts";
import { FrazilError, must } from "../core/errors.ts";
import type { TableCounts } from "../core/figures.ts";
import type { Position } from "../core/position.ts";
import { hasAbsentValues, planWithAbsent } from "./absent-values.ts";
import { type BufferedBatch, firstNewRow, refuseChanges } from "./buffered-changes.ts";
import { type ColumnPlan, fieldSources, type WrittenDataFile, writeDataFiles } from "./data-files.ts";
import { type Deletions, resolveDeletions, truncation } from "./deletions.ts";
import { FileTable } from "./file-table.ts";
import { rowsFor } from "./history-batch.ts";
import type { KeyStore } from "./key-index/key-store.ts";
import { areExact, KEY_WORDS, keySignature, keyWords } from "./key-words.ts";
import type { RoutedTable } from "./router.ts";
import { type Selection, selectAll, selectLast } from "./selection.ts";
import { firstLayout, sortUpdates } from "./table-layout.ts";
import { checkMode } from "./table-mode.ts";
import { changedColumns, firstSchema, schemaUpdates } from "./table-schema.ts";
import { fileKeys, followHead, identifierNames, keyFields, type TableState } from "./table-state.ts";

export interface PreparedTable {
  readonly part: CheckpointPart;
  /** Takes the committed checkpoint over into the writer's state and drops the buffered changes. */
  committed(): TableCounts;
}

/**
 * Writes one table: buffers a checkpoint's changes as they come (in Arrow layout), and at the checkpoint picks the last change of each key,
 * encodes the rows to Parquet and resolves the keys to the rows they replace. Nothing is forgotten before the commit, so that a failed
 * prepare or commit can be tried again.
 */
export class TableWriter {
  readonly routed: RoutedTable;
  readonly #context: CommitContext;
  readonly #committer: PipelineCommitter;
  readonly #keys: KeyStore;
  readonly #batches: BufferedBatch[] = [];
  #table: TrackedTable | null;
  #state: TableState | null = null;
  /** Of the key columns when the state was made. */
  #keySignature = "";
  #bufferedRows = 0;
  #bufferedBytes = 0;

  constructor(context: CommitContext, committer: PipelineCommitter, keys: KeyStore, routed: RoutedTable) {
    this.#context = context;
    this.#keys = keys;
    this.#committer = committer;
    this.routed = routed;
    this.#table = committer.tables.get(routed.binding.target) ?? null;
  }

  get bufferedRows(): number {
    return this.#bufferedRows;
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** Takes changes. @throws FrazilError `data` for a change that the table's mode refuses. */
  add(changes: ChangeBatch): void {
    const batch = rowsFor(this.routed.rule.mode, this.routed.binding.target, changes);
    const from = this.#table === null ? 0 : firstNewRow(batch, this.#table.position, this.#context.comparePoints);
    if (from === batch.length) return;
    const buffered = { batch, from };
    if (this.routed.rule.mode === "append") refuseChanges(this.routed.binding.target, buffered);
    this.#batches.push(buffered);
    this.#bufferedRows += batch.length - from;
    this.#bufferedBytes += batch.sizeBytes;
  }

  /**
   * Phase 1: makes the checkpoint's files durable. The table is opened first if the pipeline does not hold it yet.
   * @param reached the pipeline's position before this checkpoint. @returns null when there is nothing to write.
   */
  async prepare(reached: Position): Promise<PreparedTable | null> {
    if (this.#batches.length === 0) return null;
    const batches = [...this.#batches];
    const columns = changedColumns(this.routed.binding.target, batches);
    const table = await this.#open(columns, reached);
    await this.#evolve(table, columns);
    const prepared =
      this.routed.rule.mode !== "upsert"
        ? await this.#prepareAppend(table, batches)
        : await this.#prepareUpsert(table, batches);
    this.#rememberTypes(table.loaded);
    return prepared;
  }

  async #open(columns: ReturnType<typeof changedColumns>, reached: Position): Promise<TrackedTable> {
    if (this.#table !== null) return this.#table;
    const { rule, ident } = this.routed;
    const key = rule.mode === "upsert" ? this.#declaredKey() : [];
    for (const name of key) {
      if (!columns.has(name)) throw this.#missingKey(name);
    }
    const schema = firstSchema(this.routed.binding.target, columns, key);
    const layout = firstLayout(this.routed.binding.target, rule, schema);
    this.#table = await this.#committer.open(
      {
        ident,
        schema,
        ...layout,
        formatVersion: rule.formatVersion,
        properties: new Map([[MODE_PROPERTY, rule.mode]]),
      },
      reached,
    );
    // Another job may have made it.
    checkMode(this.#table.name, this.#table.loaded.metadata, rule);
    return this.#table;
  }

  async #evolve(table: TrackedTable, columns: ReturnType<typeof changedColumns>): Promise<void> {
    const { rule, binding } = this.routed;
    const missing = ({ metadata }: LoadedTable) => {
      const { lastColumnId, formatVersion } = metadata;
      const schema = currentSchema(metadata);
      const updates = schemaUpdates(
        binding.target,
        { schema, lastColumnId, formatVersion },
        columns,
        rule.schemaChanges,
      );
      const [first] = updates;
      const evolved = first?.action === "add-schema" ? first.schema : schema;
      return [...updates, ...sortUpdates(binding.target, rule, metadata, evolved)];
    };
    if (missing(table.loaded).length === 0) return;
    await evolveTable(this.#context, table, this.#committer.epoch, missing);
  }

  async #prepareAppend(table: TrackedTable, batches: readonly BufferedBatch[]): Promise<PreparedTable> {
    const { io, runtime } = this.#context;
    const selection = selectAll(batches);
    const names = this.#committer.namesFor(table);
    const written = await writeDataFiles(io, runtime, table.loaded, names, selection.rows.length, (field) => ({
      sources: fieldSources(field, batches),
      sourceOf: selection.sourceOf,
      rows: selection.rows,
    }));
    const encodedFor = table.loaded;
    const rows = selection.rows.length;
    const counts = { rows, inserts: rows, updates: 0, deletes: 0, ...sizeOf(written, []) };
    return {
      part: {
        table,
        filesFor: async (base) => {
          checkSchemaFits(encodedFor, base);
          return { ...NOTHING_REMOVED, addedDataFiles: written.map(({ file }) => file), counts };
        },
      },
      committed: () => {
        this.#dropBuffered(batches.length);
        return counts;
      },
    };
  }

  async #prepareUpsert(table: TrackedTable, batches: readonly BufferedBatch[]): Promise<PreparedTable> {
    const { io, runtime } = this.#context;
    const state = await this.#keyedState(table, batches);
    await followHead(this.#context, state, table.loaded);
    const keysOf = batches.map((buffered) => this.#keysOf(table, state, buffered));
    const selection = selectLast(batches, keysOf);
    await state.resolver.reserve(selection.rows.length);
    const names = this.#committer.namesFor(table);
    const { planOf, fromTable } = await this.#columnPlans(table, state, batches, keysOf, selection);
    const written = await writeDataFiles(io, runtime, table.loaded, names, selection.rows.length, planOf);
    const encodedFor = table.loaded;
    let resolved: { readonly base: bigint | null; readonly version: number; readonly deletions: Deletions } | null =
      null;
    const filesFor = async (base: LoadedTable): Promise<FileChanges> => {
      checkSchemaFits(encodedFor, base);
      const moved = await followHead(this.#context, state, base);
      if (moved && fromTable) throw staleValues(table.name);
      const version = base.metadata.formatVersion;
      if (resolved === null || resolved.base !== state.snapshotId || resolved.version !== version) {
        const deletions = await this.#deletions(state, selection, this.#committer.namesFor(table), version);
        resolved = { base: state.snapshotId, version, deletions };
      }
      const counts = countsOf(selection, written, resolved.deletions);
      return { ...fileChanges(state.files, written, resolved.deletions), counts };
    };
    return {
      part: { table, filesFor },
      committed: () => {
        const deletions = must(resolved, "a committed checkpoint was resolved").deletions;
        applyCommitted(state, table, selection, written, deletions);
        this.#dropBuffered(batches.length);
        return countsOf(selection, written, deletions);
      },
    };
  }

  async #deletions(
    state: TableState,
    selection: Selection,
    names: FileNames,
    formatVersion: number,
  ): Promise<Deletions> {
    const { io, runtime } = this.#context;
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

  async #columnPlans(
    table: TrackedTable,
    state: TableState,
    batches: readonly BufferedBatch[],
    keysOf: readonly Uint32Array[],
    selection: Selection,
  ): Promise<{ planOf: (field: NestedField) => ColumnPlan; fromTable: boolean }> {
    const { sourceOf, rows } = selection;
    const plain = (field: NestedField): ColumnPlan => ({ sources: fieldSources(field, batches), sourceOf, rows });
    if (!hasAbsentValues(batches)) return { planOf: plain, fromTable: false };
    const { io } = this.#context;
    const schema = currentSchema(table.loaded.metadata);
    const locations = await state.resolver.resolve(selection.keys);
    const plans = new Map<number, ColumnPlan>();
    let fromTable = false;
    for (const field of schema.fields) {
      const { target } = this.routed.binding;
      const merged = await planWithAbsent(io, target, schema, field, batches, keysOf, selection, state, locations);
      plans.set(field.id, merged.plan);
      fromTable ||= merged.fromTable;
    }
    return { planOf: (field) => plans.get(field.id) ?? plain(field), fromTable };
  }

  async #keyedState(table: TrackedTable, batches: readonly BufferedBatch[]): Promise<TableState> {
    const { metadata } = table.loaded;
    const schema = currentSchema(metadata);
    const identifiers = identifierNames(schema);
    const key = this.#state?.key ?? (identifiers.length > 0 ? identifiers : (this.#declaredKeyOrNull() ?? []));
    if (key.length === 0) throw this.#noKey();
    for (const { batch } of batches) {
      const declared = this.routed.rule.key ?? batch.key;
      if (declared !== null && !sameNames(declared, key)) throw keyChanged(table, key, declared);
    }
    const fields = keyFields(schema, key);
    const signature = keySignature(fields);
    if (this.#state !== null && this.#keySignature === signature) return this.#state;
    const files = new FileTable();
    const { resolver, seed } = await this.#keys.open({
      uuid: metadata.tableUuid,
      name: table.name,
      files,
      signature,
      exact: areExact(fields.map(({ type }) => type)),
      readWith: (given) => (entry) =>
        fileKeys(this.#context.io, currentSchema(table.loaded.metadata), key, given, entry.live.file),
    });
    this.#keySignature = signature;
    this.#state = { files, resolver, key, seed, snapshotId: null };
    return this.#state;
  }

  #keysOf(table: TrackedTable, state: TableState, { batch }: BufferedBatch): Uint32Array {
    const fields = keyFields(currentSchema(table.loaded.metadata), state.key);
    const columns = fields.map(({ name, type }) => {
      const index = batch.fields.findIndex((candidate) => candidate.name === name);
      if (index < 0) {
        // A truncate has no values, and as a message's only change no columns.
        if (batch.ops.every((op) => op === Op.truncate)) return nullColumn(type, batch.length);
        throw this.#missingKey(name);
      }
      return must(batch.columns[index], "a column a field");
    });
    return keyWords(
      columns,
      fields.map(({ type }) => type),
      state.key,
      batch.length,
      batch.ops,
      state.seed,
    );
  }

  #declaredKeyOrNull(): readonly string[] | null {
    const { rule } = this.routed;
    if (rule.key !== null) return rule.key;
    return this.#batches.find(({ batch }) => batch.key !== null)?.batch.key ?? null;
  }

  #declaredKey(): readonly string[] {
    const key = this.#declaredKeyOrNull();
    if (key === null || key.length === 0) throw this.#noKey();
    return key;
  }

  #noKey(): FrazilError {
    return new FrazilError(
      "config",
      "KEY_MISSING",
      `table ${this.routed.binding.target} has mode: upsert, but neither the job nor the messages name its key`,
      { hint: "add key: [column, …] to its entry in tables:, or use mode: append" },
    );
  }

  #missingKey(name: string): FrazilError {
    return new FrazilError(
      "data",
      "KEY_COLUMN",
      `table ${this.routed.binding.target}: key column ${name} is not among the changes' columns`,
      { hint: "name columns that every change carries in key:" },
    );
  }

  #dropBuffered(count: number): void {
    for (const { batch, from } of this.#batches.splice(0, count)) {
      this.#bufferedRows -= batch.length - from;
      this.#bufferedBytes -= batch.sizeBytes;
    }
  }

  /** Lets decoders see the table's types as they are now. */
  #rememberTypes(loaded: LoadedTable): void {
    for (const { name, type } of currentSchema(loaded.metadata).fields) {
      if (type.kind !== "struct" && type.kind !== "list" && type.kind !== "map" && type.kind !== "opaque") {
        this.routed.existing.set(name, type);
      }
    }
  }
}

const NOTHING_REMOVED: FileChanges = {
  addedDataFiles: [],
  removedDataFiles: [],
  addedDeleteFiles: [],
  removedDeleteFiles: [],
};

function fileChanges(files: FileTable, written: readonly WrittenDataFile[], deletions: Deletions): FileChanges {
  return {
    addedDataFiles: written.map(({ file }) => file),
    removedDataFiles: deletions.deadFiles.map((number) => must(files.get(number), "a dead file is still live").live),
    addedDeleteFiles: [...deletions.written.values()].map(({ entry }) => entry),
    removedDeleteFiles: [...deletions.replaced],
  };
}

/** What a checkpoint does to a keyed table, as of one base. */
function countsOf(selection: Selection, written: readonly WrittenDataFile[], deletions: Deletions): TableCounts {
  const rows = selection.rows.length;
  const { updates, deletes } = deletions;
  const vectors = [...deletions.written.values()].map(({ entry }) => entry);
  return { rows, inserts: rows - updates, updates, deletes, ...sizeOf(written, vectors) };
}

/** Files that a checkpoint added. Deletion vectors that share a Puffin file count with their own bytes of it, and the file once. */
function sizeOf(
  written: readonly WrittenDataFile[],
  deleteFiles: readonly LiveFile["file"][],
): Pick<TableCounts, "files" | "bytes"> {
  const added = [...written.map(({ file }) => file), ...deleteFiles];
  const bytes = added.reduce((sum, file) => sum + Number(file.contentSizeBytes ?? file.fileSizeBytes), 0);
  return { files: new Set(added.map(({ filePath }) => filePath)).size, bytes };
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

function keyChanged(table: TrackedTable, key: readonly string[], declared: readonly string[]): FrazilError {
  return new FrazilError(
    "config",
    "KEY_CHANGED",
    `table ${table.name} has the key [${key.join(", ")}], the job or its messages say [${declared.join(", ")}]`,
    { hint: `set key: [${key.join(", ")}], or load into a new table` },
  );
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.toSorted().join("\0") === b.toSorted().join("\0");
}

/** Files encoded for one schema fit a later one when its columns that they hold are unchanged. @throws FrazilError `conflict` when not. */
function checkSchemaFits(encodedFor: LoadedTable, base: LoadedTable): void {
  if (
    encodedFor.metadata.currentSchemaId === base.metadata.currentSchemaId &&
    encodedFor.metadata.defaultSpecId === base.metadata.defaultSpecId
  )
    return;
  throw new FrazilError(
    "conflict",
    "SCHEMA_MOVED",
    `the schema or partition spec of table ${base.ident.name} was changed by somebody else while a checkpoint was being written`,
    { hint: "start the job again: it writes the checkpoint anew" },
  );
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
