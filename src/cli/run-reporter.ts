import { FrazilError } from "../core/errors.ts";
import type { Figures, FiguresReading } from "../core/figures.ts";
import type { Position } from "../core/position.ts";
import type { CommitEvent, JobObserver, JobSummary, ProgressEvent, StartEvent } from "../pipeline/job-run.ts";
import type { CliContext } from "./context.ts";
import { counted, figuresRecord, lagText, troubleText, writtenTable } from "./figures-text.ts";
import { grouped, jsonLine, sizeText } from "./output.ts";

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
 * Tells people on stderr how a job goes: one line a commit, a progress line that is redrawn on a terminal, a heartbeat elsewhere, and what
 * was done at the end. With `--json` each commit is a line on stdout, and so is the end.
 *
 * @param figures what the job counts into.
 */
export function runReporter(context: CliContext, job: string, figures: Figures): RunReporter {
  const { output, runtime, globals } = context;
  const { clock } = runtime;
  const terminal = process.stderr.isTTY && !globals.quiet;
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
  const say = (line: string) => {
    clear();
    output.note(line);
    shownMs = clock.monotonicMs();
  };
  const line = (nowMs: number): string => progressLine(job, last, figures.read(), rate, nowMs);
  const draw = (nowMs: number) => {
    process.stderr.write(`\r\u001b[K${cut(line(nowMs), process.stderr.columns)}`);
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
      else say(line(nowMs));
    }
  };
  void beat();
  const end = async (title: string, record: Readonly<Record<string, unknown>>, reading: FiguresReading) => {
    closed.abort();
    // Of a run that failed before it had read anything, the error says it all.
    if (title !== "") say(endText(`${job}  ${title}`, reading, clock.monotonicMs() - startedMs));
    if (globals.json) await output.write(jsonLine({ event: "end", job, ...record, ...figuresRecord(reading) }));
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
      if (globals.json) void output.write(jsonLine({ event: "commit", ...event, ...wholeMs(event) }));
      const first = event.checkpoint !== checkpointShown;
      checkpointShown = event.checkpoint;
      say(commitLine(event, first));
    },
    notice(message) {
      clear();
      runtime.log.warn(message);
    },
    finished: (summary) => end(endTitle(summary), summaryRecord(summary), summary.figures),
    failed(error) {
      const durationMs = clock.monotonicMs() - startedMs;
      const reading = figures.read();
      const what = `failed after ${secondsText(durationMs)}: ${changesText(reading.rows, durationMs)}`;
      return end(reading.records === 0 ? "" : what, failureRecord(error, durationMs), reading);
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

function startLine(job: string, { epoch, resumeFrom, checkpoint }: StartEvent): string {
  if (resumeFrom === null) return `${job}  starts  epoch ${epoch}, no table yet`;
  return `${job}  resumes after checkpoint ${grouped(checkpoint)}  epoch ${epoch}, ${resumeFrom.size} splits`;
}

function commitLine(event: CommitEvent, first: boolean): string {
  const head = first ? `checkpoint ${grouped(event.checkpoint)}` : "";
  const changes = [`+${grouped(event.inserts)}`, `~${grouped(event.updates)}`, `-${grouped(event.deletes)}`].join(" ");
  const times = first ? `  prepare ${event.prepareMs.toFixed(0)} ms, commit ${event.commitMs.toFixed(0)} ms` : "";
  return `${head.padEnd(16)}${event.table.padEnd(22)} ${changes.padEnd(26)} snapshot ${event.snapshotId}${times}`;
}

function progressLine(
  job: string,
  event: ProgressEvent | null,
  reading: FiguresReading,
  rate: Rate,
  nowMs: number,
): string {
  const { rows, commitLagRows, readLag, retries } = reading;
  const tried = retries === 0 ? "" : `  ${counted(retries, "retry", "retries")}`;
  if (event === null) return `${job}  nothing read yet${tried}`;
  const done = event.target === null ? null : shareDone(event.from, event.reached, event.target);
  const bar = done === null ? "" : `${"█".repeat(Math.round(done * 20)).padEnd(20, "░")} ${Math.floor(done * 100)} %  `;
  const lag = event.target === null && readLag !== null ? `  read lag ${grouped(readLag)}` : "";
  return `${bar}${grouped(rows)} rows  ${grouped(rate(nowMs, rows))} rows/s  ${grouped(commitLagRows)} not yet committed${lag}${tried}`;
}

/** The share of the way done over the splits whose points are numbers; null where there are none. */
function shareDone(from: Position, reached: Position, target: Position): number | null {
  let total = 0;
  let done = 0;
  for (const [split, end] of target) {
    const first = Number(from.get(split) ?? 0);
    const last = Number(end);
    const now = Number(reached.get(split) ?? first);
    if (!Number.isFinite(first + last + now)) return null;
    total += Math.max(0, last - first);
    done += Math.min(Math.max(0, now - first), Math.max(0, last - first));
  }
  return total === 0 ? null : done / total;
}

const ENDINGS: Record<JobSummary["reason"], string> = {
  "caught-up": "caught up",
  time: "time is up",
  rows: "row limit reached",
  stopped: "stopped",
};

function endTitle({ reason, durationMs, rows, checkpoints }: JobSummary): string {
  const committed = counted(checkpoints, "checkpoint");
  return `${ENDINGS[reason]} after ${secondsText(durationMs)}: ${changesText(rows, durationMs)}, ${committed}`;
}

function secondsText(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`;
}

function changesText(rows: number, durationMs: number): string {
  return `${counted(rows, "change")} (${grouped(rowsPerSecond(rows, durationMs))}/s)`;
}

function rowsPerSecond(rows: number, durationMs: number): number {
  return durationMs > 0 ? Math.round((rows * 1000) / durationMs) : 0;
}

/** The first line and, where anything was read, what was written and what came in between. */
function endText(title: string, reading: FiguresReading, durationMs: number): string {
  if (reading.records === 0 && reading.retries === 0) return title;
  const { records, readBytes, written, commits } = reading;
  const perSecond = durationMs > 0 ? (bytes: number) => BigInt(Math.round((bytes * 1000) / durationMs)) : () => 0n;
  const size = readBytes === null ? "" : `, ${sizeText(BigInt(readBytes))} (${sizeText(perSecond(readBytes))}/s)`;
  const read = `read ${counted(records, "message")}${size}; wrote ${counted(written.files, "file")}, ${sizeText(BigInt(written.bytes))}`;
  const lines = [title, read, `${counted(commits, "commit")}, ${troubleText(reading)}`, lagText(reading)];
  return `${lines.join("\n  ")}\n${writtenTable(reading.tables)}`.trimEnd();
}

function summaryRecord(summary: JobSummary) {
  return {
    reason: summary.reason,
    checkpoints: summary.checkpoints,
    rowsPerSecond: rowsPerSecond(summary.rows, summary.durationMs),
    durationMs: Math.round(summary.durationMs),
    readMs: Math.round(summary.readMs),
    prepareMs: Math.round(summary.prepareMs),
    commitMs: Math.round(summary.commitMs),
    position: Object.fromEntries(summary.position),
  };
}

function failureRecord(error: unknown, durationMs: number) {
  const code = error instanceof FrazilError ? error.code : "INTERNAL";
  const message = error instanceof Error ? error.message : String(error);
  return { reason: "failed", error: { code, message }, durationMs: Math.round(durationMs) };
}

function wholeMs(event: CommitEvent): { prepareMs: number; commitMs: number } {
  return { prepareMs: Math.round(event.prepareMs), commitMs: Math.round(event.commitMs) };
}
