import { growingPauses, isOutage } from "../commit/pauses.ts";
import type { CommittedTable, PipelineCommitter } from "../commit/pipeline-committer.ts";
import type { ChangeBatch } from "../core/change-batch.ts";
import { DEAD_LETTER_STREAM } from "../core/dead-letter.ts";
import { FrazilError, must } from "../core/errors.ts";
import type { Position } from "../core/position.ts";
import type { CommitContext } from "../commit/context.ts";
import type { MovedRows } from "../sink/keys/forwards.ts";
import type { EarlyKeys } from "../sink/keys/early-keys.ts";
import type { KeyStore } from "../sink/key-index/key-store.ts";
import type { DeadLetters } from "../sink/dead-letters/dead-letters.ts";
import type { UnknownRow } from "../sink/changes/partial-changes.ts";
import type { RuleRouter } from "../sink/layout/router.ts";
import type { PreparedTable } from "../sink/prepared-table.ts";
import { TableWriter } from "../sink/table-writer.ts";
import type { CommitEvent, JobObserver } from "./job-run.ts";
import { identText, type TableIdent } from "../../table-format/index.ts";

/** How long a store that is gone or full is waited for while a checkpoint is prepared. */
const STORE_PATIENCE_MS = 300_000;

export interface CheckpointTimes {
  readonly prepareMs: number;
  readonly commitMs: number;
}

/** Gathers changes by table and turns what has gathered into committed checkpoints. */
export class Checkpointer {
  readonly #context: CommitContext;
  readonly #committer: PipelineCommitter;
  readonly #router: RuleRouter;
  readonly #keys: KeyStore;
  readonly #early: EarlyKeys | null;
  readonly #observer: JobObserver;
  readonly #letters: DeadLetters | null;
  readonly #writers = new Map<number, TableWriter>();
  /** Messages of the checkpoint in preparation that have become letters: its preparation may be tried again. */
  readonly #lettered = new Set<string>();

  /**
   * @param letters where changes of unknown rows go; null: the first one ends the job. @param early where keys of the tables may be known from
   *   already.
   */
  constructor(
    context: CommitContext,
    committer: PipelineCommitter,
    router: RuleRouter,
    keys: KeyStore,
    observer: JobObserver,
    letters: DeadLetters | null,
    early: EarlyKeys | null = null,
  ) {
    this.#context = context;
    this.#committer = committer;
    this.#router = router;
    this.#keys = keys;
    this.#observer = observer;
    this.#letters = letters;
    this.#early = early;
  }

  get bufferedRows(): number {
    return [...this.#writers.values()].reduce((sum, writer) => sum + writer.bufferedRows, 0);
  }

  get bufferedBytes(): number {
    return [...this.#writers.values()].reduce((sum, writer) => sum + writer.bufferedBytes, 0);
  }

  /** Resolves when more is known of the keys that the present checkpoint needs and that are being read; null when none are. */
  get keysUnderWay(): Promise<unknown> | null {
    return this.#anyUnderWay([...this.#writers.values()]);
  }

  /** Waits for keys that the present checkpoint needs. @returns whether they are known before a job that is told to end runs out of patience. */
  async keysInTime(): Promise<boolean> {
    const { giveUp } = this.#context;
    const over = Promise.withResolvers<void>();
    giveUp?.addEventListener("abort", () => over.resolve(), { once: true });
    for (let keys = this.keysUnderWay; keys !== null; keys = this.keysUnderWay) {
      if (giveUp?.aborted === true) return false;
      await Promise.race([keys, over.promise]);
    }
    return true;
  }

  #anyUnderWay(writers: readonly TableWriter[]): Promise<unknown> | null {
    const underWay = new Set(writers.map((writer) => this.#underWay(writer)).filter((keys) => keys !== null));
    return underWay.size === 0 ? null : Promise.race(underWay);
  }

  #underWay({ bufferedRows, routed }: TableWriter): Promise<void> | null {
    return bufferedRows === 0 ? null : (this.#early?.underWay(routed.binding.target) ?? null);
  }

  add(batch: ChangeBatch): void {
    let writer = this.#writers.get(batch.table);
    if (writer === undefined) {
      writer = new TableWriter(
        this.#context,
        this.#committer,
        this.#keys,
        this.#early,
        this.#router.table(batch.table),
      );
      this.#writers.set(batch.table, writer);
    }
    writer.add(batch);
  }

  /** Takes note that a compaction in this process moved rows of a table; see `KeyResolver.forward`. */
  moved(table: TableIdent, rows: MovedRows): void {
    for (const writer of this.#writers.values()) {
      if (identText(writer.routed.ident) === identText(table)) writer.moved(rows);
    }
  }

  /**
   * Commits everything buffered together with the position `cut`.
   * @param reached the position of the last checkpoint.
   */
  async checkpoint(reached: Position, cut: Position, validThroughMs: number | null): Promise<CheckpointTimes> {
    const { clock } = this.#context.runtime;
    const startedMs = clock.monotonicMs();
    const prepared = await this.#prepareAll(reached);
    this.#context.figures?.prepared();
    const preparedMs = clock.monotonicMs();
    const committed = await this.#committer.commit(
      prepared.map(({ part }) => part),
      cut,
      validThroughMs,
    );
    const times = { prepareMs: preparedMs - startedMs, commitMs: clock.monotonicMs() - preparedMs };
    const freshnessMs = validThroughMs === null ? null : Math.max(0, clock.nowMs() - validThroughMs);
    this.#publish(prepared, committed, { ...times, freshnessMs });
    return times;
  }

  /** Tries again, with growing pauses, while the store cannot be reached or refuses to write; what is buffered stays. */
  async #prepareAll(reached: Position): Promise<PreparedTable[]> {
    const { runtime, giveUp } = this.#context;
    const pauses = growingPauses(runtime, STORE_PATIENCE_MS, giveUp);
    for (;;) {
      try {
        return await this.#prepareOnce(reached);
      } catch (error) {
        // A table's files that are gone are mostly gone with the table: that says more.
        if (error instanceof FrazilError && error.kind === "not-found") await this.#committer.checkStillOwner();
        if (!isOutage(error)) throw error;
        this.#observer.notice(`waiting for ${isKeyCache(error) ? "the key cache" : "the store"}: ${error.message}`);
        this.#context.figures?.retry();
        await pauses.next(() => error);
      }
    }
  }

  /** Dead letters come last: some are found on the way, and a table of changes, which nobody empties, is the better anchor. */
  async #prepareOnce(reached: Position): Promise<PreparedTable[]> {
    const isLetters = ({ routed }: TableWriter): boolean => routed.rule.from === DEAD_LETTER_STREAM;
    const prepared: PreparedTable[] = [];
    const left = new Set([...this.#writers.values()].filter((writer) => !isLetters(writer)));
    while (left.size > 0) {
      // Those whose keys are still being read come later, so that the others are encoded meanwhile.
      const writer = [...left].find((candidate) => this.#underWay(candidate) === null);
      if (writer === undefined) {
        await this.#anyUnderWay([...left]);
        continue;
      }
      left.delete(writer);
      const table = await writer.prepare(reached);
      if (table !== null) prepared.push(table);
    }
    this.#addLetters(prepared.flatMap(({ unknown }) => unknown));
    for (const writer of [...this.#writers.values()].filter(isLetters)) {
      const table = await writer.prepare(reached);
      if (table === null) continue;
      // A crash after the table of changes and before its letters would lose them: what the table has is not looked at again.
      const part = this.#lettered.size === 0 ? table.part : { ...table.part, first: true };
      prepared.push({ ...table, part });
    }
    return prepared;
  }

  #addLetters(unknown: readonly UnknownRow[]): void {
    const fresh = unknown.filter(({ batch, row }) => {
      const message = `${batch.split}\0${batch.points.after(row)}`;
      return !this.#lettered.has(message) && this.#lettered.add(message);
    });
    const [first] = fresh;
    if (first === undefined) return;
    if (this.#letters === null) throw first.error;
    for (const batch of this.#letters.late(fresh)) this.add(batch);
    this.#context.figures?.deadLetters(this.#letters.byCode);
  }

  #publish(
    prepared: readonly PreparedTable[],
    committed: readonly CommittedTable[],
    times: Pick<CommitEvent, "prepareMs" | "commitMs" | "freshnessMs">,
  ): void {
    this.#lettered.clear();
    for (const table of prepared) {
      const { snapshotId } = must(
        committed.find((candidate) => candidate.table === table.part.table),
        "a prepared table was committed",
      );
      const counts = table.committed();
      this.#context.figures?.committed(table.part.table.name, counts);
      this.#observer.committed({
        checkpoint: this.#committer.checkpoint,
        table: table.part.table.name,
        snapshotId,
        ...counts,
        ...times,
      });
    }
  }
}

/** Kept keys lie in a folder of this machine: a full disk there is not the store's. */
function isKeyCache({ code }: FrazilError): boolean {
  return code.startsWith("KEY_CACHE");
}
