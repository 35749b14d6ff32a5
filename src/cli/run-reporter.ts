import type { Figures } from "../core/figures.ts";
import type { CommitEvent, JobObserver, JobSummary, ProgressEvent, StartEvent } from "../pipeline/job-run.ts";
import type { CliContext } from "./context.ts";
import { jsonLine } from "./output.ts";
import { commitLine, commitRecord, endLine, failureLine, progressLine, type RunLine, startLine } from "./run-lines.ts";

/** Off a terminal one line tells at least this often that the job is alive, also while it waits for a store or a commit. */
const HEARTBEAT_MS = 10_000;

/** On a terminal the progress line is redrawn at most this often, and at least this often while nothing arrives. */
const REDRAW_MS = 100;
const STILL_REDRAW_MS = 1_000;

/** The rate is that of about the last so many milliseconds. */
const RATE_MS = 10_000;

export interface RunReporter extends JobObserver {
  finished(summary: JobSummary): Promise<void>;
  /** What a run that fails has done; the error itself is told by whoever catches it. */
  failed(error: unknown): Promise<void>;
  close(): void;
}

/**
 * Tells on stderr how a job goes: one line a commit, a progress line that is redrawn on a terminal, a heartbeat elsewhere, and what was
 * done at the end; as text or as lines of the log, whichever its format is. With `--json` each commit is a line on stdout, and so is the
 * end.
 *
 * @param figures what the job counts into.
 */
export function runReporter(context: CliContext, job: string, figures: Figures): RunReporter {
  const { output, runtime, globals } = context;
  const { clock } = runtime;
  const text = globals.logFormat === "text";
  const terminal = process.stderr.isTTY && !globals.quiet && text;
  const startedMs = clock.monotonicMs();
  const rate = recentRate(startedMs);
  const closed = new AbortController();
  let shownMs = startedMs;
  let drawn = false;
  let last: ProgressEvent | null = null;
  let checkpointShown = -1n;

  const clear = () => {
    if (drawn) process.stderr.write("\r\u001b[K");
    drawn = false;
  };
  const say = (line: RunLine) => {
    clear();
    if (text) output.note(line.text);
    else if (!globals.quiet) runtime.log.info(line.message, line.fields);
    shownMs = clock.monotonicMs();
  };
  const progress = (nowMs: number): RunLine => {
    const reading = figures.read();
    return progressLine(job, last, reading, last === null ? 0 : rate(nowMs, reading.rows));
  };
  const draw = (nowMs: number) => {
    process.stderr.write(`\r\u001b[K${cut(progress(nowMs).text, process.stderr.columns)}`);
    drawn = true;
    shownMs = nowMs;
  };
  const everyMs = terminal ? STILL_REDRAW_MS : HEARTBEAT_MS;
  const beat = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(Math.max(1, shownMs + everyMs - clock.monotonicMs()), closed.signal);
      if (closed.signal.aborted) return;
      const nowMs = clock.monotonicMs();
      if (nowMs - shownMs < everyMs) continue;
      if (terminal) draw(nowMs);
      else say(progress(nowMs));
    }
  };
  void beat();
  const end = async (line: RunLine, silent: boolean) => {
    closed.abort();
    if (!silent) say(line);
    if (globals.json) await output.write(jsonLine({ event: "end", ...line.fields }));
  };

  return {
    started(event: StartEvent) {
      say(startLine(job, event));
    },
    progress(event) {
      last = event;
      const nowMs = clock.monotonicMs();
      if (terminal && nowMs - shownMs >= REDRAW_MS) draw(nowMs);
    },
    committed(event: CommitEvent) {
      if (globals.json) void output.write(jsonLine({ event: "commit", ...commitRecord(event) }));
      const first = event.checkpoint !== checkpointShown;
      checkpointShown = event.checkpoint;
      say(commitLine(job, event, first));
    },
    notice(message) {
      clear();
      runtime.log.warn(message);
    },
    finished: (summary) => end(endLine(job, summary), false),
    failed(error) {
      const reading = figures.read();
      // Of a run that failed before it had read anything, the error says it all.
      return end(failureLine(job, error, reading, clock.monotonicMs() - startedMs), reading.records === 0);
    },
    close() {
      closed.abort();
      clear();
    },
  };
}

/** Rows a second over about the last `RATE_MS`. */
type Rate = (nowMs: number, rows: number) => number;

function recentRate(startedMs: number): Rate {
  const samples = [{ ms: startedMs, rows: 0 }];
  return (nowMs, rows) => {
    while (samples.length > 1 && nowMs - (samples[1]?.ms ?? nowMs) >= RATE_MS) samples.shift();
    const from = samples[0] ?? { ms: startedMs, rows: 0 };
    if (nowMs - (samples.at(-1)?.ms ?? startedMs) >= 500) samples.push({ ms: nowMs, rows });
    return nowMs > from.ms ? Math.round(((rows - from.rows) * 1000) / (nowMs - from.ms)) : 0;
  };
}

/** As much of a line as fits a terminal: one that wraps cannot be redrawn. */
function cut(text: string, columns: number | undefined): string {
  return columns !== undefined && columns > 0 && text.length >= columns ? text.slice(0, columns - 1) : text;
}
