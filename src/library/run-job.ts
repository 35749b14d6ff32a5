import { FrazilError } from "../core/errors.ts";
import type { Log } from "../core/runtime.ts";
import type { JobEnd, JobSummary } from "../pipeline/job-run.ts";
import { run } from "../run.ts";
import { type Checkpoint, CheckpointFeed } from "./checkpoint-feed.ts";
import type { Job } from "./define-job.ts";
import { machineRuntime } from "./machine.ts";

/** When a run ends by itself. */
export type RunUntil =
  /** At the ends that the source had at the start. */
  | "caught-up"
  /** After a time or a number of changes, whichever comes first. */
  | { readonly forMs?: number; readonly maxRows?: number };

export interface RunOptions {
  /** Absent: the run goes on until it is stopped. */
  readonly until?: RunUntil | undefined;
  /** Aborting it finishes the checkpoint in progress and then ends the run. */
  readonly signal?: AbortSignal | undefined;
  /** By default nothing is logged. */
  readonly log?: Log | undefined;
}

/** A job that runs in this process. Disposing of it stops it after its checkpoint. */
export interface RunningJob extends AsyncDisposable {
  /**
   * What has been committed since the run began, up to its end. Whoever asks late gets what has gathered, up to a thousand; the job
   * does not wait for readers. Leaving the loop does not stop the job.
   *
   * @throws FrazilError that the job failed with, behind its last checkpoint.
   */
  checkpoints(): AsyncIterableIterator<Checkpoint>;
  /** Resolves when the run has ended. @throws FrazilError that it failed with. */
  finished(): Promise<JobSummary>;
  /** Ends the run after the checkpoint in progress. */
  stop(): void;
  /** Stops, and waits. @throws FrazilError that the job failed with, unless `checkpoints` or `finished` have told it. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts a job: takes its pipeline over from any process that runs it, and reads on from where its tables stand. Resolves once it
 * has been taken over.
 *
 * @throws FrazilError whose `kind` says what to do about it.
 */
export async function runJob(job: Job, options: RunOptions = {}): Promise<RunningJob> {
  const end = jobEnd(options.until);
  const stop = new AbortController();
  const feed = new CheckpointFeed();
  const runtime = machineRuntime(options.log);
  const started = Promise.withResolvers<void>();
  const ended = run(job, runtime, {
    end,
    stop: options.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, options.signal]),
    observer: {
      started: () => started.resolve(),
      progress() {},
      committed: (event) => feed.add(event),
      notice: (message) => runtime.log.warn(message),
    },
  }).finally(() => feed.end());
  // A failure is told to whoever asks; until then it is nobody's unhandled rejection.
  ended.catch(() => {});
  // A run that fails, or is told to stop, before it has begun.
  await Promise.race([started.promise, ended]);
  return runningJob(ended, stop, feed);
}

function runningJob(ended: Promise<JobSummary>, stop: AbortController, feed: CheckpointFeed): RunningJob {
  let told = false;
  const finished = (): Promise<JobSummary> => {
    told = true;
    return ended;
  };
  return {
    async *checkpoints() {
      yield* feed.read();
      await finished();
    },
    finished,
    stop: () => stop.abort(),
    async [Symbol.asyncDispose]() {
      stop.abort();
      try {
        await ended;
      } catch (error) {
        if (!told) throw error;
      }
    },
  };
}

function jobEnd(until: RunUntil | undefined): JobEnd {
  if (until === undefined || until === "caught-up") {
    return { caughtUp: until !== undefined, afterMs: null, maxRows: null };
  }
  const { forMs = null, maxRows = null } = until;
  const isGiven = forMs !== null || maxRows !== null;
  const isPositive = [forMs, maxRows].every((limit) => limit === null || (Number.isFinite(limit) && limit > 0));
  if (!isGiven || !isPositive) {
    const message = `until: expected "caught-up", { forMs } or { maxRows } above 0, found ${JSON.stringify(until)}`;
    throw new FrazilError("config", "BAD_UNTIL", message);
  }
  return { caughtUp: false, afterMs: forMs, maxRows };
}
