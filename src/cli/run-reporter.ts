import type { Position } from "../core/position.ts";
import type { CommitEvent, JobObserver, JobSummary, ProgressEvent, StartEvent } from "../pipeline/job-run.ts";
import type { CliContext } from "./context.ts";
import { grouped, jsonLine } from "./output.ts";

/** Off a terminal one line tells at least this often that the job is alive. */
const HEARTBEAT_MS = 10_000;

/** On a terminal the progress line is redrawn at most this often. */
const REDRAW_MS = 100;

export interface RunReporter extends JobObserver {
  finished(summary: JobSummary): void;
  close(): void;
}

/**
 * Tells people on stderr how a job goes: one line a commit, a progress line that is redrawn on a terminal, a heartbeat elsewhere.
 * With `--json` each commit is a line on stdout.
 */
export function runReporter(context: CliContext, job: string): RunReporter {
  const { output, runtime, globals } = context;
  const terminal = process.stderr.isTTY && !globals.quiet;
  const startedMs = runtime.clock.monotonicMs();
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
    shownMs = runtime.clock.monotonicMs();
  };

  return {
    started(event: StartEvent) {
      say(startLine(job, event));
    },
    progress(event) {
      last = event;
      const nowMs = runtime.clock.monotonicMs();
      if (terminal && nowMs - shownMs >= REDRAW_MS) {
        process.stderr.write(`\r\u001b[K${progressLine(event, nowMs - startedMs)}`);
        drawn = true;
        shownMs = nowMs;
      } else if (!terminal && nowMs - shownMs >= HEARTBEAT_MS) {
        say(progressLine(event, nowMs - startedMs));
      }
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
    finished(summary) {
      say(summaryLine(job, summary));
      if (last !== null && globals.json) void output.write(jsonLine({ event: "end", ...summaryRecord(summary) }));
    },
    close: clear,
  };
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

function progressLine(event: ProgressEvent, elapsedMs: number): string {
  const rate = elapsedMs > 0 ? Math.round((event.rows * 1000) / elapsedMs) : 0;
  const done = event.target === null ? null : shareDone(event.from, event.reached, event.target);
  const bar = done === null ? "" : `${"█".repeat(Math.round(done * 20)).padEnd(20, "░")} ${Math.floor(done * 100)} %  `;
  return `${bar}${grouped(event.rows)} rows  ${grouped(rate)} rows/s  ${grouped(event.bufferedRows)} not yet committed`;
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

function summaryLine(job: string, summary: JobSummary): string {
  const seconds = summary.durationMs / 1000;
  const rate = seconds > 0 ? Math.round(summary.rows / seconds) : 0;
  const letters = summary.deadLetters === 0 ? "" : `, ${grouped(summary.deadLetters)} dead letters`;
  return `${job}  ${ENDINGS[summary.reason]} after ${seconds.toFixed(1)} s: ${grouped(summary.rows)} changes (${grouped(rate)}/s)${letters}, ${summary.checkpoints} checkpoints`;
}

function summaryRecord(summary: JobSummary) {
  return {
    reason: summary.reason,
    rows: summary.rows,
    records: summary.records,
    deadLetters: summary.deadLetters,
    checkpoints: summary.checkpoints,
    durationMs: Math.round(summary.durationMs),
    readMs: Math.round(summary.readMs),
    prepareMs: Math.round(summary.prepareMs),
    commitMs: Math.round(summary.commitMs),
    position: Object.fromEntries(summary.position),
  };
}

function wholeMs(event: CommitEvent): { prepareMs: number; commitMs: number } {
  return { prepareMs: Math.round(event.prepareMs), commitMs: Math.round(event.commitMs) };
}
