import { samePosition, withinCut } from "../commit/merge-position.ts";
import type { PipelineCommitter } from "../commit/pipeline-committer.ts";
import { DEAD_LETTER_SPLIT } from "../core/dead-letter.ts";
import { FrazilError } from "../core/errors.ts";
import type { Figures } from "../core/figures.ts";
import { advance, type Position } from "../core/position.ts";
import type { Source, SourceBatch } from "../core/source.ts";
import type { DeadLetters } from "../sink/dead-letters/dead-letters.ts";
import type { Checkpointer } from "./checkpointer.ts";
import { cutPull, type Pull } from "./cut-pull.ts";
import type { JobRun, JobSummary } from "./job-run.ts";
import { SourceLag } from "./source-lag.ts";
import { hasReached } from "./start-points.ts";
import type { ValidThrough } from "./valid-through.ts";

/** Share of the memory budget that buffered changes may take: encoding and the key index need the rest. */
const BUFFER_SHARE = 0.4;

const WITHOUT_LAST =
  "no last checkpoint: keys that it needs are still being read; its changes are read again at the next start";

/** What a run works with once its tables are its own. */
export interface RunParts {
  readonly job: JobRun;
  readonly source: Source;
  readonly committer: PipelineCommitter;
  readonly checkpointer: Checkpointer;
  readonly letters: DeadLetters | null;
  readonly figures: Figures;
  readonly validThrough: ValidThrough;
  readonly from: Position;
  /** The source's end as of the start. */
  readonly sourceEnd: Position;
}

/** Reads batch after batch and commits checkpoint after checkpoint, until a reason to end comes up. */
export class RunLoop {
  readonly #job: JobRun;
  readonly #source: Source;
  readonly #committer: PipelineCommitter;
  readonly #checkpointer: Checkpointer;
  readonly #letters: DeadLetters | null;
  readonly #figures: Figures;
  readonly #validThrough: ValidThrough;
  readonly #from: Position;
  readonly #target: Position | null;
  readonly #lag: SourceLag;
  readonly #startedMs: number;
  /** The position of the last checkpoint, and what has been read since. */
  #committed: Position;
  #reached: Position;
  #lastCheckpointMs: number;
  #lastCommitMs: number;
  #pulled = false;
  #rows = 0;
  #records = 0;
  #checkpoints = 0;
  #readMs = 0;
  #prepareMs = 0;
  #commitMs = 0;

  constructor({ job, source, committer, checkpointer, letters, figures, validThrough, from, sourceEnd }: RunParts) {
    this.#job = job;
    this.#source = source;
    this.#committer = committer;
    this.#checkpointer = checkpointer;
    this.#letters = letters;
    this.#figures = figures;
    this.#validThrough = validThrough;
    this.#from = from;
    this.#target = job.end.caughtUp ? sourceEnd : null;
    this.#committed = from;
    this.#reached = from;
    this.#lag = new SourceLag(source, figures, job.runtime.clock, from, sourceEnd);
    this.#startedMs = job.runtime.clock.monotonicMs();
    this.#lastCheckpointMs = this.#startedMs;
    this.#lastCommitMs = this.#startedMs;
  }

  /** @throws FrazilError whatever ends a job: of the source, the decoder, the sink or the commit */
  async untilEnd(): Promise<JobSummary> {
    const stopReading = new AbortController();
    const batches = this.#source.read(this.#from, stopReading.signal)[Symbol.asyncIterator]();
    let pending: Promise<IteratorResult<SourceBatch>> | null = null;
    try {
      for (;;) {
        const reason = this.#endReason();
        if (reason !== null) {
          if (reason !== "stopped") this.#letters?.checkShare();
          // Changes that are not committed are read again; a supervisor would not wait until all keys of a large table are known.
          if (reason !== "stopped" || (await this.#checkpointer.keysInTime())) await this.#checkpoint(true);
          else this.#job.observer.notice(WITHOUT_LAST);
          return await this.#summary(reason);
        }
        if (this.#checkpointDue()) await this.#checkpoint(false);
        pending ??= batches.next();
        // A failure must not count as unhandled while a checkpoint runs; it surfaces when the promise is awaited.
        pending.catch(() => {});
        const next = await this.#nextOrTick(pending);
        if (next === null) continue;
        pending = null;
        this.#pulled = true;
        if (next.done === true) {
          this.#letters?.checkShare();
          await this.#checkpoint(true);
          return await this.#summary("caught-up");
        }
        this.#take(next.value);
      }
    } finally {
      stopReading.abort();
      pending?.catch(() => {});
      await batches.return?.();
    }
  }

  #take(pulled: SourceBatch): void {
    // The source rests between two pulls: all letters so far belong to this one.
    const { batch, letters } = this.#withinMaxRows({ batch: pulled, letters: this.#letters?.take() ?? [] });
    let rows = 0;
    for (const changes of batch.changes) {
      this.#checkpointer.add(changes);
      rows += changes.length;
    }
    this.#rows += rows;
    this.#figures.taken(rows, batch.records, batch.bytes ?? null);
    for (const changes of letters) this.#checkpointer.add(changes);
    if (this.#letters !== null && letters.length > 0) this.#figures.deadLetters(this.#letters.byCode);
    this.#letters?.noteMessages(batch.records);
    this.#records += batch.records;
    this.#reached = advance(this.#reached, batch.ends);
    this.#validThrough.note(batch);
    this.#lag.reached(this.#reached);
    this.#job.observer.progress({
      rows: this.#rows,
      records: this.#records,
      bufferedRows: this.#checkpointer.bufferedRows,
      bufferedBytes: this.#checkpointer.bufferedBytes,
      reached: this.#reached,
      target: this.#target,
      from: this.#from,
    });
  }

  #withinMaxRows(pull: Pull): Pull {
    const { maxRows } = this.#job.end;
    if (maxRows === null) return pull;
    return cutPull(pull, maxRows - this.#rows, this.#source.comparePoints.bind(this.#source), this.#letters);
  }

  #endReason(): JobSummary["reason"] | null {
    const { end, stop, runtime } = this.#job;
    if (stop.aborted) return "stopped";
    if (end.afterMs !== null && runtime.clock.monotonicMs() - this.#startedMs >= end.afterMs) return "time";
    if (end.maxRows !== null && this.#rows >= end.maxRows) return "rows";
    const target = this.#target;
    if (target === null || !hasReached(this.#reached, target, this.#source.comparePoints.bind(this.#source)))
      return null;
    // Beyond the end from the start: the source has lost what was read, as it says when it is read from.
    if (!this.#pulled && !withinCut(this.#from, target, this.#source.comparePoints.bind(this.#source))) return null;
    return "caught-up";
  }

  #checkpointDue(): boolean {
    const { checkpoint, memoryBytes, runtime } = this.#job;
    const bytesMax = Math.min(checkpoint.maxSizeBytes, memoryBytes * BUFFER_SHARE);
    return (
      this.#checkpointer.bufferedRows >= checkpoint.maxRows ||
      this.#checkpointer.bufferedBytes >= bytesMax ||
      // While keys are read that it needs, it could not be committed: more is read instead, as long as there is room.
      (runtime.clock.monotonicMs() - this.#lastCheckpointMs >= checkpoint.intervalMs &&
        this.#checkpointer.keysUnderWay === null)
    );
  }

  /** The next batch, or null when it is time for a checkpoint or for the end. */
  async #nextOrTick(pending: Promise<IteratorResult<SourceBatch>>): Promise<IteratorResult<SourceBatch> | null> {
    const { clock } = this.#job.runtime;
    const startedMs = clock.monotonicMs();
    const wake = new AbortController();
    // With a reason, as without one an error is made of each, with its stack.
    const onStop = () => wake.abort(null);
    this.#job.stop.addEventListener("abort", onStop);
    // A signal during the checkpoint before has been and gone.
    if (this.#job.stop.aborted) onStop();
    const { intervalMs } = this.#job.checkpoint;
    const keys = this.#checkpointer.keysUnderWay;
    const sinceDueMs = startedMs - this.#lastCheckpointMs - intervalMs;
    const dueMs = keys !== null && sinceDueMs >= 0 ? intervalMs : -sinceDueMs;
    const leftMs = this.#job.end.afterMs === null ? dueMs : this.#startedMs + this.#job.end.afterMs - startedMs;
    try {
      return await Promise.race([
        pending,
        clock.sleep(Math.max(0, Math.min(dueMs, leftMs)), wake.signal).then(() => null),
        ...(keys === null ? [] : [keys.then(() => null)]),
      ]);
    } finally {
      wake.abort(null);
      this.#job.stop.removeEventListener("abort", onStop);
      this.#readMs += clock.monotonicMs() - startedMs;
    }
  }

  /** Commits what has been read; an idle interval only checks that the tables are still ours, and now and then commits the position. */
  async #checkpoint(last: boolean): Promise<void> {
    const { clock } = this.#job.runtime;
    const moved = !samePosition(this.#committed, this.#reached);
    const idleDue = last || clock.monotonicMs() - this.#lastCommitMs >= this.#job.checkpoint.idleCommitMs;
    const worth = this.#checkpointer.bufferedRows > 0 || (moved && idleDue && this.#committer.tables.size > 0);
    if (worth) {
      const cut = this.#reached;
      const times = await this.#checkpointer.checkpoint(this.#committed, cut, this.#validThrough.ms);
      this.#figures.settled(this.#validThrough.ms);
      this.#committed = cut;
      this.#checkpoints++;
      this.#prepareMs += times.prepareMs;
      this.#commitMs += times.commitMs;
      this.#lastCommitMs = clock.monotonicMs();
      // Dead letters that were replayed are no split of the source.
      const held = [...this.#committer.acknowledged].filter(([split]) => split !== DEAD_LETTER_SPLIT);
      await this.#source.acknowledge(new Map(held));
    } else if (!last) {
      await this.#checkOwner();
    }
    if (!last) this.#lag.askNowAndThen();
    this.#lastCheckpointMs = clock.monotonicMs();
  }

  async #checkOwner(): Promise<void> {
    try {
      await this.#committer.checkStillOwner();
    } catch (error) {
      if (!(error instanceof FrazilError && error.kind === "unavailable")) throw error;
      this.#job.observer.notice(`the catalog cannot be read while idle: ${error.message}`);
    }
  }

  async #summary(reason: JobSummary["reason"]): Promise<JobSummary> {
    // A run that has caught up with the end as of its start is not asked how much has come since.
    if (reason !== "caught-up") await this.#lag.askLast();
    return {
      reason,
      rows: this.#rows,
      records: this.#records,
      deadLetters: this.#letters?.count ?? 0,
      checkpoints: this.#checkpoints,
      durationMs: this.#job.runtime.clock.monotonicMs() - this.#startedMs,
      readMs: this.#readMs,
      prepareMs: this.#prepareMs,
      commitMs: this.#commitMs,
      position: this.#committed,
      figures: this.#figures.read(),
    };
  }
}
