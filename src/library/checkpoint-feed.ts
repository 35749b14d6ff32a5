import { UNREAD_CHECKPOINTS } from "../core/limits.ts";
import type { CommitEvent } from "../pipeline/job-run.ts";

/** What a checkpoint did to one table. */
export interface CheckpointTable {
  /** `namespace.table`. */
  readonly table: string;
  readonly snapshotId: bigint;
  /** Changes of the table; of several of one key only the last counts. */
  readonly rows: number;
  readonly inserts: number;
  readonly updates: number;
  readonly deletes: number;
}

/** A committed checkpoint: rows of one or more tables together with the position in the source. */
export interface Checkpoint {
  /** Its number: 1 is the pipeline's first. */
  readonly id: bigint;
  readonly tables: readonly CheckpointTable[];
  /** Over all tables. */
  readonly rows: number;
  readonly prepareMs: number;
  readonly commitMs: number;
  /** How old the changes were at the commit, after the source's own times; null where it tells none. */
  readonly freshnessMs: number | null;
  /** Checkpoints before this one that nobody asked for in time. */
  readonly skipped: number;
}

/**
 * Checkpoints on their way from a job to whoever asks for them. The job never waits: of those that nobody has asked for the newest
 * are kept, and `skipped` counts the others.
 */
export class CheckpointFeed {
  readonly #unread: Checkpoint[] = [];
  #gathering: CommitEvent[] = [];
  #skipped = 0;
  #ended = false;
  #bell = Promise.withResolvers<void>();

  /** Tables of one checkpoint are told in one go, without a pause in between. */
  add(event: CommitEvent): void {
    this.#gathering.push(event);
    if (this.#gathering.length === 1) queueMicrotask(() => this.#publish());
  }

  /** Nothing comes any more. */
  end(): void {
    this.#ended = true;
    this.#bell.resolve();
  }

  /** Up to the end. Each checkpoint is given to one reader. */
  async *read(): AsyncGenerator<Checkpoint, void, undefined> {
    for (;;) {
      for (let next = this.#unread.shift(); next !== undefined; next = this.#unread.shift()) {
        const skipped = this.#skipped;
        this.#skipped = 0;
        yield { ...next, skipped };
      }
      if (this.#ended) return;
      await this.#bell.promise;
    }
  }

  #publish(): void {
    const events = this.#gathering;
    this.#gathering = [];
    const [first] = events;
    if (first === undefined) return;
    this.#unread.push({
      id: first.checkpoint,
      tables: events.map(({ table, snapshotId, rows, inserts, updates, deletes }) => ({
        table,
        snapshotId,
        rows,
        inserts,
        updates,
        deletes,
      })),
      rows: events.reduce((sum, { rows }) => sum + rows, 0),
      prepareMs: first.prepareMs,
      commitMs: first.commitMs,
      freshnessMs: first.freshnessMs,
      skipped: 0,
    });
    if (this.#unread.length > UNREAD_CHECKPOINTS) {
      this.#unread.shift();
      this.#skipped++;
    }
    this.#bell.resolve();
    if (!this.#ended) this.#bell = Promise.withResolvers();
  }
}
