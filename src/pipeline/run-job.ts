import type { CommitContext } from "../commit/context.ts";
import { createCommitQueue } from "../commit/commit-queue.ts";
import { samePosition, withinCut } from "../commit/merge-position.ts";
import { PipelineCommitter } from "../commit/pipeline-committer.ts";
import { DEAD_LETTER_SPLIT, DEAD_LETTER_STREAM } from "../core/dead-letter.ts";
import { FrazilError, must } from "../core/errors.ts";
import type { Figures } from "../core/figures.ts";
import { MANIFEST_CACHE_BYTES_PER_ENTRY, MANIFEST_CACHE_ENTRIES } from "../core/limits.ts";
import { advance, type Position } from "../core/position.ts";
import type { Source, SourceBatch } from "../core/source.ts";
import type { DecodeNotices, TableBinding } from "../core/table-binding.ts";
import { createFigures } from "../observe/figures.ts";
import { createManifestCache, typeText } from "../../table-format/index.ts";
import { DeadLetters, deadLetterRule } from "../sink/dead-letters/dead-letters.ts";
import { EarlyKeys } from "../sink/keys/early-keys.ts";
import { highestLetter } from "../sink/dead-letters/letter-number.ts";
import { type KeyStore, memoryKeys, sidecarKeys } from "../sink/key-index/key-store.ts";
import { RuleRouter, targetMatcher } from "../sink/layout/router.ts";
import { checkRules } from "./check-rules.ts";
import { Checkpointer } from "./checkpointer.ts";
import { cutPull, type Pull } from "./cut-pull.ts";
import type { JobObserver, JobRun, JobSummary } from "./job-run.ts";
import { Patience, STOP_PATIENCE_MS } from "./patience.ts";
import { presentTypes } from "./present-types.ts";
import { totalLag } from "./read-lag.ts";
import { hasReached, startPoints } from "./start-points.ts";
import { ValidThrough } from "./valid-through.ts";

/** Share of the memory budget that buffered changes may take: encoding and the key index need the rest. */
const BUFFER_SHARE = 0.4;

/** Share of the memory budget that keys in memory may take. */
const KEY_SHARE = 0.25;

/**
 * Share of the memory budget that the rows of a row group may take, whose values the encoder holds as objects, too: several times as much. Files of
 * jobs with little memory have row groups of a few MiB, until they are compacted.
 */
const ROW_GROUP_SHARE = 1 / 16;

/** More than that makes a file no better to read. */
const LARGEST_ROW_GROUP_BYTES = 32 * 1024 * 1024;

/** Share of the memory budget that a rewrite beside ingestion may take. */
const BESIDE_SHARE = 0.15;

const WITHOUT_LAST =
  "no last checkpoint: keys that it needs are still being read; its changes are read again at the next start";

/** The source is asked for its end, so that it can be told how far behind the job is, at most this often. */
const SOURCE_END_EVERY_MS = 10_000;

/** How long the end of a run waits for that. */
const SOURCE_END_PATIENCE_MS = 1_000;

/**
 * Runs a job until it ends or fails: takes the pipeline over, reads from where its tables stand, and commits checkpoint after checkpoint.
 * Nothing is lost when it fails at any point: the next run resumes from what the tables hold.
 *
 * @throws FrazilError whose kind decides the exit code; see `exitCodeOf`.
 */
export async function runJob(job: JobRun): Promise<JobSummary> {
  const settings = job.deadLetter ?? null;
  const figures = job.figures ?? createFigures(job.runtime.clock);
  const rules = settings === null ? job.rules : [deadLetterRule(settings.table), ...job.rules];
  const mayWrite = targetMatcher(rules);
  const router = new RuleRouter(rules, await presentTypes(job.catalog, mayWrite));
  const letters = settings === null ? null : new DeadLetters(letterBinding(router), job.pipeline, settings);
  const source = job.createSource(router, noticesTo(job.observer), letters);
  const end = new AbortController();
  try {
    // Nothing has been taken over yet: a job that is told to end while it waits for its source ends at once.
    if (!(await unlessStopped(job.stop, source.open()))) return stoppedAtStart(figures);
    const patience = new Patience(job, end.signal);
    const context: CommitContext = {
      pipeline: job.pipeline,
      catalog: job.catalog,
      io: job.io,
      manifests: createManifestCache(
        Math.min(MANIFEST_CACHE_ENTRIES, Math.floor(job.memoryBytes / MANIFEST_CACHE_BYTES_PER_ENTRY)),
      ),
      warehouseLocation: job.warehouseLocation,
      runtime: job.runtime,
      giveUp: patience.signal,
      queue: createCommitQueue(),
      figures,
      rowGroupBytes: Math.min(LARGEST_ROW_GROUP_BYTES, Math.floor(job.memoryBytes * ROW_GROUP_SHARE)),
      comparePoints: source.comparePoints.bind(source),
      streamIds: source.streamIds?.bind(source),
    };
    const committer = await PipelineCommitter.start(context, mayWrite);
    source.recall?.(committer.streamIds());
    checkRules(committer.tables.values(), rules);
    const held = settings === null ? undefined : committer.tables.get(settings.table);
    if (held !== undefined) letters?.numberFrom((await highestLetter(job.io, held.loaded)) + 1n);
    const resumeFrom = committer.resumePosition();
    job.observer.started({ epoch: committer.epoch, resumeFrom, checkpoint: committer.checkpoint });
    const from = startPoints(resumeFrom, await source.startPosition(), committer.knownSplits());
    const sourceEnd = await source.endPosition();
    const validThrough = new ValidThrough({
      from,
      end: sourceEnd,
      resumed: resumeFrom,
      lastMs: committer.resumeValidThroughMs(),
      compare: context.comparePoints,
    });
    const keys = await keyStoreOf(job, committer);
    const early = new EarlyKeys(context, keys, committer.tables.values());
    const checkpointer = new Checkpointer(context, committer, router, keys, job.observer, letters, early);
    const run = new Run({ job, source, committer, checkpointer, letters, figures, validThrough, from, sourceEnd });
    const stopBeside = startBeside(job, context, committer, checkpointer);
    early.start();
    patience.begin();
    try {
      return await run.untilEnd();
    } finally {
      await withinPatience(job, early.close());
      await stopBeside();
      keys.close();
    }
  } finally {
    end.abort();
    await source.close();
  }
}

/** Starts what goes on beside ingestion; it is told to stop when the job is, and by the call that is returned, which waits for its end. */
function startBeside(
  job: JobRun,
  context: CommitContext,
  { tables }: PipelineCommitter,
  checkpointer: Checkpointer,
): () => Promise<void> {
  if (job.beside === undefined) return async () => undefined;
  const ended = new AbortController();
  const beside = job.beside({
    context,
    tables: () => [...tables.values()].map(({ loaded }) => loaded.ident),
    memoryBytes: job.memoryBytes * BESIDE_SHARE,
    moved: checkpointer.moved.bind(checkpointer),
    stop: AbortSignal.any([job.stop, ended.signal]),
    over: ended.signal,
  });
  return async () => {
    ended.abort();
    await withinPatience(job, beside);
  };
}

/** Waits for what has been told to end. */
async function withinPatience({ runtime }: JobRun, ending: Promise<void>): Promise<void> {
  const over = new AbortController();
  await Promise.race([ending.finally(() => over.abort()), runtime.clock.sleep(STOP_PATIENCE_MS, over.signal)]);
}

/** Whether `waiting` came to its end before the job was told to end. */
async function unlessStopped(stop: AbortSignal, waiting: Promise<void>): Promise<boolean> {
  // What fails after the stop is of no interest.
  waiting.catch(() => {});
  const stopped = Promise.withResolvers<false>();
  const onStop = (): void => stopped.resolve(false);
  if (stop.aborted) onStop();
  stop.addEventListener("abort", onStop, { once: true });
  try {
    return await Promise.race([stopped.promise, waiting.then(() => true)]);
  } finally {
    stop.removeEventListener("abort", onStop);
  }
}

function stoppedAtStart(figures: Figures): JobSummary {
  return {
    reason: "stopped",
    rows: 0,
    records: 0,
    deadLetters: 0,
    checkpoints: 0,
    durationMs: 0,
    readMs: 0,
    prepareMs: 0,
    commitMs: 0,
    position: new Map(),
    figures: figures.read(),
  };
}

/** What a run works with once its tables are its own. */
interface RunParts {
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

class Run {
  readonly #job: JobRun;
  readonly #source: Source;
  readonly #committer: PipelineCommitter;
  readonly #checkpointer: Checkpointer;
  readonly #letters: DeadLetters | null;
  readonly #figures: Figures;
  readonly #validThrough: ValidThrough;
  readonly #from: Position;
  readonly #target: Position | null;
  readonly #startedMs: number;
  /** The position of the last checkpoint, and what has been read since. */
  #committed: Position;
  #reached: Position;
  #sourceEnd: Position;
  #asking: Promise<void> | null = null;
  #lastAskedMs: number;
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
    this.#sourceEnd = sourceEnd;
    figures.readLag(totalLag(from, sourceEnd, source));
    this.#startedMs = job.runtime.clock.monotonicMs();
    this.#lastCheckpointMs = this.#startedMs;
    this.#lastCommitMs = this.#startedMs;
    this.#lastAskedMs = this.#startedMs;
  }

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
    this.#figures.readLag(totalLag(this.#reached, this.#sourceEnd, this.#source));
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
    if (!last && this.#lastAskedMs + SOURCE_END_EVERY_MS <= clock.monotonicMs()) void this.#askEnd();
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

  /** Asks the source for its end, for figures only: that it cannot tell now fails nothing. Never rejects. */
  #askEnd(): Promise<void> {
    this.#lastAskedMs = this.#job.runtime.clock.monotonicMs();
    this.#asking ??= this.#source
      .endPosition()
      .then(
        (end) => {
          this.#sourceEnd = end;
          this.#figures.readLag(totalLag(this.#reached, end, this.#source));
        },
        () => this.#figures.readLag(null),
      )
      .finally(() => (this.#asking = null));
    return this.#asking;
  }

  async #summary(reason: JobSummary["reason"]): Promise<JobSummary> {
    // A run that has caught up with the end as of its start is not asked how much has come since.
    const done = new AbortController();
    const { clock } = this.#job.runtime;
    if (reason !== "caught-up") {
      const asked = this.#askEnd().finally(() => done.abort());
      await Promise.race([asked, clock.sleep(SOURCE_END_PATIENCE_MS, done.signal)]);
    }
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

async function keyStoreOf(job: JobRun, committer: PipelineCommitter): Promise<KeyStore> {
  const { keyCache, pipeline, memoryBytes, warehouseLocation, runtime } = job;
  if (keyCache === undefined) return memoryKeys(runtime.random);
  const tables = [...committer.tables.values()].map(({ loaded }) => loaded.metadata.tableUuid);
  const limitBytes = memoryBytes * KEY_SHARE;
  return sidecarKeys({ folder: keyCache, pipeline, warehouse: warehouseLocation, tables, limitBytes, runtime });
}

function letterBinding(router: RuleRouter): TableBinding {
  return must(router.byStream(DEAD_LETTER_STREAM), "the dead-letter table has a rule");
}

function noticesTo(observer: JobObserver): DecodeNotices {
  const said = new Set<string>();
  const once = (message: string) => {
    if (said.has(message)) return;
    said.add(message);
    observer.notice(message);
  };
  return {
    inferred: (binding, column) =>
      once(
        `${binding.target}: the type of column ${column.name} is inferred as ${typeText(column.type)}; declare it with columns: { ${column.name}: ${typeText(column.type)} }`,
      ),
    unrouted: (stream, tableId) =>
      once(`${tableId ?? stream} of ${stream} matches no entry of tables:; its changes are not written anywhere`),
    leftOut: (binding, column) =>
      once(`${binding.target}: column ${column} is left out: the table lacks it, and schema_changes is ignore`),
    statement: (stream, tableId, kind) =>
      once(
        `${kind} of ${tableId ?? stream} is not applied: only changes of rows and TRUNCATE are; new columns come with their rows`,
      ),
  };
}
