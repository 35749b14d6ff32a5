import { currentSchema, currentSnapshot } from "../../../table-format/index.ts";
import type { CommitContext } from "../../commit/context.ts";
import { tableMode } from "../../commit/table-mode.ts";
import type { TrackedTable } from "../../commit/tracked-table.ts";
import type { KeyStore } from "../key-index/key-store.ts";
import { type KeyedState, openKeyedState } from "./keyed-state.ts";
import { followHead, identifierNames } from "./table-state.ts";

/** Tables whose keys are read at once where a checkpoint needs them; otherwise it is one. */
const TABLES_AT_ONCE = 4;

/**
 * Finds out the keys of the tables that a job holds, one after the other from the start on, so that they are known when they are asked for:
 * what a cache lacks is read from the table while the job reads changes and encodes those of other tables.
 */
export class EarlyKeys {
  readonly #context: CommitContext;
  readonly #keys: KeyStore;
  readonly #stop = new AbortController();
  /** Tables that have not been begun, the smallest first: many small ones are done before a large one holds them up. */
  readonly #waiting: Map<string, TrackedTable>;
  readonly #reading = new Map<string, Promise<void>>();
  readonly #known = new Map<string, KeyedState>();
  #running: Promise<void> = Promise.resolve();
  /** The end of whichever reading ends next: who waits for one of many asks often, and is not to be remembered by each of them. */
  #nextEnd = Promise.withResolvers<void>();

  /** @param tables that the job holds. */
  constructor(context: CommitContext, keys: KeyStore, tables: Iterable<TrackedTable>) {
    this.#context = context;
    this.#keys = keys;
    const keyed = [...tables].filter(isKeyed).toSorted((a, b) => rowsOf(a) - rowsOf(b));
    this.#waiting = new Map(keyed.map((table) => [table.name, table]));
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Resolves when a table's keys are known, cannot be had now, or come nearer; null when nothing is to be waited for. They are read at once. */
  underWay(name: string): Promise<void> | null {
    const waiting = this.#waiting.get(name);
    if (waiting !== undefined && !this.#stop.signal.aborted) {
      if (this.#reading.size >= TABLES_AT_ONCE) return this.#nextEnd.promise;
      void this.#read(waiting);
    }
    return this.#reading.get(name) ?? null;
  }

  /** What is known of a table, as of some time since the start; null: nothing, it is the caller's to find out. */
  async take(name: string): Promise<KeyedState | null> {
    this.#waiting.delete(name);
    await this.#reading.get(name);
    const known = this.#known.get(name) ?? null;
    this.#known.delete(name);
    return known;
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await Promise.all(this.#reading.values());
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const [table] = this.#waiting.values();
      if (table === undefined) return;
      await this.#read(table);
    }
  }

  #read(table: TrackedTable): Promise<void> {
    this.#waiting.delete(table.name);
    const done = this.#learn(table).finally(() => {
      this.#reading.delete(table.name);
      this.#nextEnd.resolve();
      this.#nextEnd = Promise.withResolvers();
    });
    this.#reading.set(table.name, done);
    return done;
  }

  /** Never rejects: whoever needs the table's keys meets the same failure, and knows what to do about it. */
  async #learn(table: TrackedTable): Promise<void> {
    const { name, loaded } = table;
    try {
      const state = await openKeyedState(
        this.#context,
        this.#keys,
        table,
        identifierNames(currentSchema(loaded.metadata)),
      );
      await followHead(this.#context, state, loaded, this.#stop.signal);
      this.#known.set(name, state);
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      const message = error instanceof Error ? error.message : String(error);
      this.#context.runtime.log.debug("keys cannot be read ahead of the first checkpoint", {
        table: name,
        error: message,
      });
    }
  }
}

function isKeyed({ loaded: { metadata } }: TrackedTable): boolean {
  return tableMode(metadata) === "upsert" && identifierNames(currentSchema(metadata)).length > 0;
}

function rowsOf({ loaded }: TrackedTable): number {
  return Number(currentSnapshot(loaded.metadata)?.summary.get("total-records") ?? 0);
}
