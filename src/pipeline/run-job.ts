import type { CommitContext } from "../commit/context.ts";
import { createCommitQueue } from "../commit/commit-queue.ts";
import { PipelineCommitter } from "../commit/pipeline-committer.ts";
import { DEAD_LETTER_STREAM } from "../core/dead-letter.ts";
import { must } from "../core/errors.ts";
import type { Figures } from "../core/figures.ts";
import { MANIFEST_CACHE_BYTES_PER_ENTRY, MANIFEST_CACHE_ENTRIES } from "../core/limits.ts";
import type { TableBinding } from "../core/table-binding.ts";
import { createFigures } from "../observe/figures.ts";
import { createManifestCache } from "../../table-format/index.ts";
import { DeadLetters, deadLetterRule } from "../sink/dead-letters/dead-letters.ts";
import { EarlyKeys } from "../sink/keys/early-keys.ts";
import { highestLetter } from "../sink/dead-letters/letter-number.ts";
import { type KeyStore, memoryKeys, sidecarKeys } from "../sink/key-index/key-store.ts";
import { RuleRouter, targetMatcher } from "../sink/layout/router.ts";
import { checkRules } from "./check-rules.ts";
import { Checkpointer } from "./checkpointer.ts";
import { noticesTo } from "./decode-notices.ts";
import type { JobRun, JobSummary } from "./job-run.ts";
import { Patience } from "./patience.ts";
import { presentTypes } from "./present-types.ts";
import { RunLoop } from "./run-loop.ts";
import { startPoints } from "./start-points.ts";
import { ValidThrough } from "./valid-through.ts";
import { unlessStopped, withinPatience } from "./waiting.ts";

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
    const run = new RunLoop({ job, source, committer, checkpointer, letters, figures, validThrough, from, sourceEnd });
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
