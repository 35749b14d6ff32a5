import { currentSchema, nullColumn } from "../../../table-format/index.ts";
import type { CommitContext } from "../../commit/context.ts";
import type { TrackedTable } from "../../commit/tracked-table.ts";
import { Op } from "../../core/change-batch.ts";
import { FrazilError, must } from "../../core/errors.ts";
import type { BufferedBatch } from "../changes/buffered-changes.ts";
import type { EarlyKeys } from "./early-keys.ts";
import type { MovedRows } from "./forwards.ts";
import type { KeyStore } from "../key-index/key-store.ts";
import { keySignature, keyWords } from "./key-words.ts";
import { type KeyedState, openKeyedState } from "./keyed-state.ts";
import type { RoutedTable } from "../layout/router.ts";
import { identifierNames, keyFields, type TableState } from "./table-state.ts";

/** The key of one table: which columns it has, and where the table's keys are. */
export class TableKey {
  readonly #context: CommitContext;
  readonly #keys: KeyStore;
  readonly #early: EarlyKeys | null;
  readonly #routed: RoutedTable;
  #state: KeyedState | null = null;

  /** @param early where keys may be known from already. */
  constructor(context: CommitContext, keys: KeyStore, early: EarlyKeys | null, routed: RoutedTable) {
    this.#context = context;
    this.#keys = keys;
    this.#early = early;
    this.#routed = routed;
  }

  /**
   * What is known of the table, made anew when its key columns have other types than before.
   * @throws FrazilError `config` when the changes name no key or another one than the table's.
   */
  async stateOf(table: TrackedTable, batches: readonly BufferedBatch[]): Promise<TableState> {
    const { metadata } = table.loaded;
    const schema = currentSchema(metadata);
    const identifiers = identifierNames(schema);
    const key = this.#state?.key ?? (identifiers.length > 0 ? identifiers : (this.#declaredOrNull(batches) ?? []));
    if (key.length === 0) throw this.#noKey();
    for (const { batch } of batches) {
      const declared = this.#routed.rule.key ?? batch.key;
      if (declared !== null && !sameNames(declared, key)) throw keyChanged(table, key, declared);
    }
    const signature = keySignature(keyFields(schema, key));
    this.#state ??= (await this.#early?.take(table.name)) ?? null;
    if (this.#state?.signature === signature && sameNames(this.#state.key, key)) return this.#state;
    this.#state = await openKeyedState(this.#context, this.#keys, table, key);
    return this.#state;
  }

  /** See `KeyResolver.forward`. */
  moved(rows: MovedRows): void {
    this.#state?.resolver.forward(rows);
  }

  /** The keys of a batch's rows. @throws FrazilError `data` when a key column is not among its columns. */
  wordsOf(table: TrackedTable, state: TableState, { batch }: BufferedBatch): Uint32Array {
    const fields = keyFields(currentSchema(table.loaded.metadata), state.key);
    const columns = fields.map(({ name, type }) => {
      const index = batch.fields.findIndex((candidate) => candidate.name === name);
      if (index < 0) {
        // A truncate has no values, and as a message's only change no columns.
        if (batch.ops.every((op) => op === Op.truncate)) return nullColumn(type, batch.length);
        throw this.missingColumn(name);
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

  #declaredOrNull(batches: readonly BufferedBatch[]): readonly string[] | null {
    const { rule } = this.#routed;
    if (rule.key !== null) return rule.key;
    return batches.find(({ batch }) => batch.key !== null)?.batch.key ?? null;
  }

  /** The key that the job or the changes name. @throws FrazilError `config` when neither does. */
  declared(batches: readonly BufferedBatch[]): readonly string[] {
    const key = this.#declaredOrNull(batches);
    if (key === null || key.length === 0) throw this.#noKey();
    return key;
  }

  #noKey(): FrazilError {
    return new FrazilError(
      "config",
      "KEY_MISSING",
      `table ${this.#routed.binding.target} has mode: upsert, but neither the job nor the messages name its key`,
      { hint: "add key: [column, …] to its entry in tables:, or use mode: append" },
    );
  }

  /** The error for a key column that the changes do not have. */
  missingColumn(name: string): FrazilError {
    return new FrazilError(
      "data",
      "KEY_COLUMN",
      `table ${this.#routed.binding.target}: key column ${name} is not among the changes' columns`,
      { hint: "name columns that every change carries in key:" },
    );
  }
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
