import { currentSchema, isPrimitive, type LoadedTable } from "../../table-format/index.ts";
import { evolveTable } from "../commit/evolve-table.ts";
import type { CommitContext } from "../commit/context.ts";
import type { PipelineCommitter } from "../commit/pipeline-committer.ts";
import { MODE_PROPERTY } from "../commit/table-mode.ts";
import type { TrackedTable } from "../commit/tracked-table.ts";
import { type ChangeBatch, Op } from "../core/change-batch.ts";
import type { Position } from "../core/position.ts";
import { prepareAppend } from "./append-checkpoint.ts";
import { type BufferedBatch, firstNewRow, refuseChanges } from "./changes/buffered-changes.ts";
import type { KeyLookup } from "./keys/checkpoint-lookups.ts";
import { CopyFilter } from "./dedupe/copy-filter.ts";
import type { EarlyKeys } from "./keys/early-keys.ts";
import type { MovedRows } from "./keys/forwards.ts";
import { ownColumn, rowsFor } from "./changes/history-batch.ts";
import { judgeChanges } from "./changes/judge-changes.ts";
import type { KeyStore } from "./key-index/key-store.ts";
import { prepareKeyed } from "./keyed-checkpoint.ts";
import type { PreparedTable } from "./prepared-table.ts";
import type { RoutedTable } from "./layout/router.ts";
import { asSoftDeletes, refuseTruncates } from "./changes/soft-deletes.ts";
import { TableKey } from "./keys/table-key.ts";
import { firstLayout, sortUpdates } from "./layout/table-layout.ts";
import { checkMode } from "./layout/table-mode.ts";
import { changedColumns, firstSchema, schemaUpdates } from "./layout/table-schema.ts";
import { followHead } from "./keys/table-state.ts";

/**
 * Writes one table: buffers a checkpoint's changes as they come (in Arrow layout), and at the checkpoint picks the last change of each key,
 * encodes the rows to Parquet and resolves the keys to the rows they replace. Nothing is forgotten before the commit, so that a failed
 * prepare or commit can be tried again.
 */
export class TableWriter {
  readonly routed: RoutedTable;
  readonly #context: CommitContext;
  readonly #committer: PipelineCommitter;
  readonly #key: TableKey;
  readonly #copies: CopyFilter | null;
  readonly #batches: BufferedBatch[] = [];
  #table: TrackedTable | null;
  #bufferedRows = 0;
  #bufferedBytes = 0;

  /** @param early where a table's keys may be known from already. */
  constructor(
    context: CommitContext,
    committer: PipelineCommitter,
    keys: KeyStore,
    early: EarlyKeys | null,
    routed: RoutedTable,
  ) {
    this.#context = context;
    this.#key = new TableKey(context, keys, early, routed);
    const { dedupe } = routed.rule;
    this.#copies = dedupe === undefined ? null : new CopyFilter(context, dedupe, keys.windows);
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
    const { rule, binding } = this.routed;
    const batch = rowsFor(rule, binding.target, changes);
    const from = this.#table === null ? 0 : firstNewRow(batch, this.#table.position, this.#context.comparePoints);
    if (from === batch.length || this.#comesToNothing(batch)) return;
    const buffered = { batch, from };
    if (rule.mode === "append") refuseChanges(binding.target, buffered);
    if (rule.softDelete !== undefined) refuseTruncates(binding.target, buffered);
    this.#batches.push(buffered);
    this.#bufferedRows += batch.length - from;
    this.#bufferedBytes += batch.sizeBytes;
  }

  /**
   * Truncates of a keyed table that is not there, and whose columns nobody knows yet. Deletes, which may name the key alone, where a table
   * keeps the columns that it is made with.
   */
  #comesToNothing({ ops, fields }: ChangeBatch): boolean {
    const { rule, existing } = this.routed;
    if (this.#table !== null || existing.size > 0 || this.#batches.length > 0 || rule.mode !== "upsert") return false;
    if (ops.every((op) => op === Op.truncate)) return fields.length === 0;
    return rule.schemaChanges === "ignore" && ops.every((op) => op === Op.delete || op === Op.truncate);
  }

  /** See `KeyResolver.forward`. */
  moved(rows: MovedRows): void {
    this.#key.moved(rows);
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
    const { committed, ...prepared } =
      this.routed.rule.mode === "upsert"
        ? await this.#prepareKeyed(table, batches)
        : await prepareAppend(this.#context, this.#committer.namesFor(table), table, batches, this.#copies);
    this.#rememberTypes(table.loaded);
    return {
      ...prepared,
      committed: () => {
        const counts = committed();
        this.#dropBuffered(batches.length);
        return counts;
      },
    };
  }

  async #prepareKeyed(table: TrackedTable, batches: readonly BufferedBatch[]): Promise<PreparedTable> {
    const state = await this.#key.stateOf(table, batches);
    await followHead(this.#context, state, table.loaded);
    const keysOf = batches.map((buffered) => this.#key.wordsOf(table, state, buffered));
    const names = () => this.#committer.namesFor(table);
    const { rule, binding } = this.routed;
    const schema = currentSchema(table.loaded.metadata);
    const { softDelete, orderBy } = rule;
    const changes = softDelete === undefined ? batches : asSoftDeletes(batches, schema, state.key, softDelete, orderBy);
    const judged = { target: binding.target, rule, schema, state };
    const judge = (lookups: KeyLookup) => judgeChanges(this.#context.io, { ...judged, lookups }, changes, keysOf);
    return prepareKeyed(this.#context, binding.target, names, table, state, changes, keysOf, judge);
  }

  async #open(columns: ReturnType<typeof changedColumns>, reached: Position): Promise<TrackedTable> {
    if (this.#table !== null) return this.#table;
    const { rule, ident, existing } = this.routed;
    // A truncate alone: the table of another job that it empties has columns.
    const named = columns.size > 0 || existing.size === 0;
    const key = rule.mode === "upsert" && named ? this.#key.declared(this.#batches) : [];
    for (const name of key) {
      if (!columns.has(name)) throw this.#key.missingColumn(name);
    }
    const present = [...existing].map(([name, type]) => [name, { name, type, required: false }] as const);
    const schema = firstSchema(this.routed.binding.target, named ? columns : new Map(present), key);
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
        ownColumn(rule),
      );
      const [first] = updates;
      const evolved = first?.action === "add-schema" ? first.schema : schema;
      return [...updates, ...sortUpdates(binding.target, rule, metadata, evolved)];
    };
    if (missing(table.loaded).length === 0) return;
    await evolveTable(this.#context, table, this.#committer.epoch, missing);
  }

  #dropBuffered(count: number): void {
    for (const { batch, from } of this.#batches.splice(0, count)) {
      this.#bufferedRows -= batch.length - from;
      this.#bufferedBytes -= batch.sizeBytes;
    }
  }

  /** Lets decoders see the table's types as they are now. */
  #rememberTypes(loaded: LoadedTable): void {
    this.routed.existing.clear();
    for (const { name, type } of currentSchema(loaded.metadata).fields) {
      if (isPrimitive(type)) this.routed.existing.set(name, type);
    }
  }
}
