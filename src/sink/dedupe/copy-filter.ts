import { currentSchema, type TableMetadata } from "../../../table-format/index.ts";
import type { CommitContext } from "../../commit/context.ts";
import type { TrackedTable } from "../../commit/tracked-table.ts";
import { movesRows, onlySince } from "../../core/table-history.ts";
import type { Dedupe } from "../../core/table-rule.ts";
import type { BufferedBatch } from "../changes/buffered-changes.ts";
import { keySignature, KEY_WORDS } from "../keys/key-words.ts";
import type { Selection } from "../changes/selection.ts";
import { keyFields } from "../keys/table-state.ts";
import { batchKeys, TIMELESS, type TimedKeys } from "./copies.ts";
import { KeyWindow } from "./key-window.ts";
import type { WindowBudget } from "./window-budget.ts";
import { writtenKeys } from "./written-keys.ts";

/** Rows of a checkpoint without copies. */
export interface NewRows {
  readonly selection: Pick<Selection, "sourceOf" | "rows">;
  /** Rows that are copies. */
  readonly dropped: number;
  /** Takes the rows as written; called once they are. */
  committed(): void;
}

interface State {
  readonly window: KeyWindow;
  /** Of the key columns: other types make other keys. */
  readonly signature: string;
  /** The snapshot whose rows the window knows; null: the table is empty. */
  snapshotId: bigint | null;
}

/**
 * Drops copies of rows of an append table: rows whose key a row has that is written already, or comes before in the checkpoint, and whose
 * times lie less than the window apart. What was written is known from the table alone, so that a crash, which repeats nothing in the
 * table, forgets nothing either.
 */
export class CopyFilter {
  readonly #context: CommitContext;
  readonly #dedupe: Dedupe;
  readonly #budget: WindowBudget;
  readonly #seed: number;
  #state: State | null = null;

  /** @param budget the memory that the keys of all tables may take. */
  constructor(context: CommitContext, dedupe: Dedupe, budget: WindowBudget) {
    this.#context = context;
    this.#dedupe = dedupe;
    this.#budget = budget;
    this.#seed = context.runtime.random.uint32();
  }

  /** @throws FrazilError `config` when the window's keys take too much memory; `data` when the table lacks a key column. */
  async select(table: TrackedTable, batches: readonly BufferedBatch[]): Promise<NewRows> {
    const state = await this.#stateOf(table);
    const schema = currentSchema(table.loaded.metadata);
    const keysOf = batches.map((buffered) => batchKeys(buffered, schema, this.#dedupe.key, this.#seed));
    const { selection, dropped } = this.#newRows(table.name, state.window, batches, keysOf);
    return {
      selection,
      dropped,
      committed: () => {
        for (const [index, source] of selection.sourceOf.entries()) {
          const { keys, timesMs } = keysOf[source] as TimedKeys;
          const row = selection.rows[index] as number;
          const timeMs = timesMs[row] as number;
          if (timeMs !== TIMELESS) state.window.add(keys, row * KEY_WORDS, timeMs);
        }
        // Rows that somebody else has added meanwhile are read with the next checkpoint.
        if (!this.#hasOnlyOurs(table.loaded.metadata, state.snapshotId)) this.#state = null;
        state.snapshotId = table.tagSnapshotId;
      },
    };
  }

  #newRows(target: string, window: KeyWindow, batches: readonly BufferedBatch[], keysOf: readonly TimedKeys[]) {
    const total = batches.reduce((sum, { batch, from }) => sum + batch.length - from, 0);
    const sourceOf = new Uint32Array(total);
    const rows = new Uint32Array(total);
    // What the checkpoint brings stands apart until it is committed: a prepare may be tried again.
    const fresh = new KeyWindow(this.#dedupe.windowMs);
    let written = 0;
    for (const [source, { batch, from }] of batches.entries()) {
      const { keys, timesMs } = keysOf[source] as TimedKeys;
      for (let row = from; row < batch.length; row++) {
        const timeMs = timesMs[row] as number;
        if (timeMs !== TIMELESS) {
          const at = row * KEY_WORDS;
          const newestMs = Math.max(window.newestMs, fresh.newestMs);
          if (window.has(keys, at, timeMs, newestMs) || fresh.has(keys, at, timeMs, newestMs)) continue;
          fresh.add(keys, at, timeMs);
        }
        sourceOf[written] = source;
        rows[written++] = row;
      }
      this.#check(target, [window, fresh]);
    }
    const selection = { sourceOf: sourceOf.subarray(0, written), rows: rows.subarray(0, written) };
    return { selection, dropped: total - written };
  }

  async #stateOf(table: TrackedTable): Promise<State> {
    const { loaded } = table;
    const { metadata } = loaded;
    const signature = keySignature(keyFields(currentSchema(metadata), this.#dedupe.key));
    const known = this.#state;
    const head = metadata.currentSnapshotId;
    if (known !== null && known.signature === signature && this.#hasOnlyOurs(metadata, known.snapshotId)) return known;
    const check = (window: KeyWindow): void => this.#check(table.name, [window]);
    const window = await writtenKeys(this.#context, loaded, this.#dedupe, this.#seed, check);
    this.#state = { window, signature, snapshotId: head };
    return this.#state;
  }

  /** Whether since a snapshot nobody else has added rows: the pipeline's own it has told of, and compactions (`replace`) add none. */
  #hasOnlyOurs(metadata: TableMetadata, since: bigint | null): boolean {
    const { pipeline } = this.#context;
    return onlySince(
      metadata,
      since,
      (snapshot) => snapshot.summary.get("ingest.pipe") === pipeline || movesRows(snapshot),
    );
  }

  #check(target: string, windows: readonly KeyWindow[]): void {
    const bytes = windows.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    this.#budget.take(this, target, bytes);
  }
}
