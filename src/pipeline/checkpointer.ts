import { growingPauses, isOutage } from "../commit/pauses.ts";
import type { CommittedTable, PipelineCommitter } from "../commit/pipeline-committer.ts";
import type { ChangeBatch } from "../core/change-batch.ts";
import { DEAD_LETTER_STREAM } from "../core/dead-letter.ts";
import { FrazilError, must } from "../core/errors.ts";
import type { Position } from "../core/position.ts";
import type { CommitContext } from "../commit/context.ts";
import type { KeyStore } from "../sink/key-index/key-store.ts";
import type { RuleRouter } from "../sink/router.ts";
import type { PreparedTable } from "../sink/prepared-table.ts";
import { TableWriter } from "../sink/table-writer.ts";
import type { CommitEvent, JobObserver } from "./job-run.ts";

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
  readonly #observer: JobObserver;
  readonly #writers = new Map<number, TableWriter>();

  constructor(
    context: CommitContext,
    committer: PipelineCommitter,
    router: RuleRouter,
    keys: KeyStore,
    observer: JobObserver,
  ) {
    this.#context = context;
    this.#committer = committer;
    this.#router = router;
    this.#keys = keys;
    this.#observer = observer;
  }

  get bufferedRows(): number {
    return [...this.#writers.values()].reduce((sum, writer) => sum + writer.bufferedRows, 0);
  }

  get bufferedBytes(): number {
    return [...this.#writers.values()].reduce((sum, writer) => sum + writer.bufferedBytes, 0);
  }

  add(batch: ChangeBatch): void {
    let writer = this.#writers.get(batch.table);
    if (writer === undefined) {
      writer = new TableWriter(this.#context, this.#committer, this.#keys, this.#router.table(batch.table));
      this.#writers.set(batch.table, writer);
    }
    writer.add(batch);
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
        const prepared: PreparedTable[] = [];
        for (const writer of this.#inOrder()) {
          const table = await writer.prepare(reached);
          if (table !== null) prepared.push(table);
        }
        return prepared;
      } catch (error) {
        // A table's files that are gone are mostly gone with the table: that says more.
        if (error instanceof FrazilError && error.kind === "not-found") await this.#committer.checkStillOwner();
        if (!isOutage(error)) throw error;
        this.#observer.notice(`waiting for the store: ${error.message}`);
        this.#context.figures?.retry();
        await pauses.next(() => error);
      }
    }
  }

  /** Dead letters come last: a table of changes, which nobody empties, is the better anchor. */
  #inOrder(): TableWriter[] {
    const isLetters = ({ routed }: TableWriter): number => Number(routed.rule.from === DEAD_LETTER_STREAM);
    return [...this.#writers.values()].sort((a, b) => isLetters(a) - isLetters(b));
  }

  #publish(
    prepared: readonly PreparedTable[],
    committed: readonly CommittedTable[],
    times: Pick<CommitEvent, "prepareMs" | "commitMs" | "freshnessMs">,
  ): void {
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
