import { pipelinePositions, type PipelinePositions, pipelineStreams } from "../commit/pipeline-position.ts";
import { type PipelineState, readPipeline } from "../commit/read-pipeline.ts";
import { FrazilError } from "../core/errors.ts";
import type { Position } from "../core/position.ts";
import type { Source } from "../core/source.ts";
import { presentTypes } from "../pipeline/present-types.ts";
import { lagOf, totalLag } from "../pipeline/read-lag.ts";
import { startPoints } from "../pipeline/start-points.ts";
import { type AnyJob, createSource } from "../registry.ts";
import { RuleRouter, targetMatcher } from "../sink/layout/router.ts";
import { openWarehouse, type Warehouse } from "../warehouse.ts";
import type { CliContext } from "./context.ts";

/** How long a verb that only looks waits for a server: long enough for a lost packet, short enough for a person. */
const PATIENCE_MS = 5_000;

/** What the job's pipeline has left in its warehouse. */
export interface JobView {
  readonly job: AnyJob;
  /** Null while there is none. */
  readonly warehouse: Warehouse | null;
  /** The pipeline's tables that the job can write to. */
  readonly state: PipelineState;
}

/** Opens the job's warehouse for reading, looks for the pipeline, runs, and closes the warehouse. Nothing is written. */
export async function withJob<T>(context: CliContext, job: AnyJob, run: (view: JobView) => Promise<T>): Promise<T> {
  const warehouse = await openIfThere(context, job);
  try {
    return await run({ job, warehouse, state: await pipelineOf(job, warehouse) });
  } finally {
    await warehouse?.catalog.close();
  }
}

/** A warehouse that the first run will make is none yet. */
export async function openIfThere(context: CliContext, job: AnyJob): Promise<Warehouse | null> {
  try {
    return await openWarehouse(job.warehouse, context.runtime, "read");
  } catch (error) {
    if (error instanceof FrazilError && error.code === "WAREHOUSE_NOT_FOUND") return null;
    throw error;
  }
}

async function pipelineOf(job: AnyJob, warehouse: Warehouse | null): Promise<PipelineState> {
  if (warehouse === null) return { anchor: null, tables: [], ledger: null };
  const state = await readPipeline({ ...warehouse, warehouseLocation: warehouse.location, pipeline: job.name });
  const writes = targetMatcher(job.tables);
  const tables = state.tables.filter(({ loaded, name }) => writes(loaded.ident) || name === job.deadLetter?.table);
  return { ...state, tables };
}

/** The job's source, opened, and the router that its changes refer to. */
export interface OpenedSource {
  readonly source: Source;
  readonly router: RuleRouter;
}

export interface SourceOptions {
  /** Whose tables' present types the decoder takes; null: it infers and takes what is declared. */
  readonly warehouse: Warehouse | null;
  /** Messages that cannot be decoded; without it the first one is thrown. */
  readonly onReject?: (error: FrazilError) => void;
}

/** Opens the job's source, runs, and closes it. @throws FrazilError as `Source.open`, after a few seconds. */
export async function withSource<T>(
  context: CliContext,
  job: AnyJob,
  { warehouse, onReject }: SourceOptions,
  run: (opened: OpenedSource) => Promise<T>,
): Promise<T> {
  const types = warehouse === null ? new Map() : await presentTypes(warehouse.catalog, targetMatcher(job.tables));
  const router = new RuleRouter(job.tables, types);
  const source = createSource(job.source, {
    pipeline: job.name,
    commits: false,
    // That a server does not answer is said once, by whoever waited for it.
    runtime: { ...context.runtime, log: { ...context.runtime.log, warn: context.runtime.log.debug } },
    router,
    notices: { inferred: () => {}, unrouted: () => {} },
    rejects: onReject === undefined ? null : { reject: (_slab, _message, error) => onReject(error) },
    startLimitMs: PATIENCE_MS,
    warehouse: job.warehouse,
    openWarehouse: (settings) => openWarehouse(settings, context.runtime, "read"),
  });
  try {
    await source.open();
    return await run({ source, router });
  } finally {
    await source.close();
  }
}

/** How far the job has come in its source. */
export interface Progress {
  readonly positions: PipelinePositions;
  /** Where the next start reads on. */
  readonly from: Position;
  /** The source's end as of now. */
  readonly end: Position;
  /** What is to be read of a split, in messages or changes of rows; null: it cannot be told. */
  readonly lag: (split: string) => bigint | null;
  /** The sum over all splits. */
  readonly totalLag: bigint | null;
}

/** Splits as people look for them, each once: `orders/2` before `orders/10`. */
export function inSplitOrder(splits: readonly string[]): string[] {
  return [...new Set(splits)].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
}

/** Compares what the warehouse holds with the source. */
export async function progressOf({ state }: JobView, source: Source): Promise<Progress> {
  const positions = pipelinePositions(state, source.comparePoints.bind(source));
  source.recall?.(pipelineStreams(state));
  const [start, end] = [await source.startPosition(), await source.endPosition()];
  const known = [...positions.tables.values()].flatMap((position) => [...position.keys()]);
  const from = startPoints(positions.resume, start, known);
  const lag = (split: string): bigint | null => lagOf(from.get(split), end.get(split), source);
  return { positions, from, end, lag, totalLag: totalLag(from, end, source) };
}
