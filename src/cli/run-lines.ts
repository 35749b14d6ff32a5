import { counted, grouped } from "../core/count-text.ts";
import { type CountedPoint, parseCounted } from "../core/counted-point.ts";
import { FrazilError } from "../core/errors.ts";
import type { FiguresReading } from "../core/figures.ts";
import type { Position } from "../core/position.ts";
import type { CommitEvent, JobSummary, ProgressEvent, StartEvent } from "../pipeline/job-run.ts";
import { figuresRecord, lagText, troubleText, writtenTable } from "./figures-text.ts";
import { sizeText } from "./output.ts";

/** What a run says of one event on stderr: text for people, or a constant message with fields for machines. */
export interface RunLine {
  readonly text: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A run begins, or goes on where its tables stand. */
export function startLine(job: string, { epoch, resumeFrom, checkpoint }: StartEvent): RunLine {
  const text =
    resumeFrom === null
      ? `${job}  starts  epoch ${epoch}, no table yet`
      : `${job}  resumes after checkpoint ${grouped(checkpoint)}  epoch ${epoch}, ${counted(resumeFrom.size, "split")}`;
  const fields = { job, epoch, checkpoint: resumeFrom === null ? null : checkpoint, splits: resumeFrom?.size ?? null };
  return { text, message: "run started", fields };
}

/**
 * A table's part of a checkpoint.
 *
 * @param first of its checkpoint: the others leave out for people what is the same.
 */
export function commitLine(job: string, event: CommitEvent, first: boolean): RunLine {
  const head = first ? `checkpoint ${grouped(event.checkpoint)}` : "";
  const changes = [`+${grouped(event.inserts)}`, `~${grouped(event.updates)}`, `-${grouped(event.deletes)}`].join(" ");
  const times = first ? `  prepare ${event.prepareMs.toFixed(0)} ms, commit ${event.commitMs.toFixed(0)} ms` : "";
  const text = `${head.padEnd(16)}${event.table.padEnd(22)} ${changes.padEnd(26)} snapshot ${event.snapshotId}${times}`;
  return { text, message: "committed", fields: { job, ...commitRecord(event) } };
}

/** A commit as fields, here and of its line on stdout. */
export function commitRecord(event: CommitEvent): Readonly<Record<string, unknown>> {
  return { ...event, prepareMs: Math.round(event.prepareMs), commitMs: Math.round(event.commitMs) };
}

/** How far a run has come. @param event null before anything was read. */
export function progressLine(
  job: string,
  event: ProgressEvent | null,
  reading: FiguresReading,
  rowsPerSecond: number,
): RunLine {
  const { rows, commitLagRows, readLag, retries } = reading;
  const { from, reached, target } = event ?? { from: null, reached: null, target: null };
  const done = from === null || target === null ? null : shareDone(from, reached, target);
  const tried = retries === 0 ? "" : `  ${counted(retries, "retry", "retries")}`;
  const bar = done === null ? "" : `${"█".repeat(Math.round(done * 20)).padEnd(20, "░")} ${Math.floor(done * 100)} %  `;
  const lag = target === null && readLag !== null ? `  read lag ${grouped(readLag)}` : "";
  const rate = `${grouped(rows)} rows  ${grouped(rowsPerSecond)} rows/s  ${grouped(commitLagRows)} not yet committed`;
  return {
    text: event === null ? `${job}  nothing read yet${tried}` : `${bar}${rate}${lag}${tried}`,
    message: "progress",
    fields: { job, rows, rowsPerSecond, commitLagRows, readLag, retries, share: done },
  };
}

/** The share of the way done over the splits whose points count messages; null where there are none. */
function shareDone(from: Position, reached: Position, target: Position): number | null {
  let total = 0;
  let done = 0;
  for (const [split, end] of target) {
    const start = from.get(split) ?? "0";
    const [first, now, last] = [start, reached.get(split) ?? start, end].map(parseCounted);
    if (first == null || now == null || last == null) return null;
    const begin = offsetIn(last.generation, first);
    const length = Math.max(0, Number(last.offset) - begin);
    total += length;
    done += Math.min(Math.max(0, offsetIn(last.generation, now) - begin), length);
  }
  return total === 0 ? null : done / total;
}

/** A point as an offset in one generation of its stream: those before lie at its start, those after behind its end. */
function offsetIn(generation: number, point: CountedPoint): number {
  if (point.generation < generation) return 0;
  return point.generation === generation ? Number(point.offset) : Number.MAX_SAFE_INTEGER;
}

const ENDINGS: Record<JobSummary["reason"], string> = {
  "caught-up": "caught up",
  time: "time is up",
  rows: "row limit reached",
  stopped: "stopped",
};

/** What a run that ended as it should has done; its fields are also the end's line on stdout. */
export function endLine(job: string, summary: JobSummary): RunLine {
  const { reason, durationMs, rows, checkpoints, figures } = summary;
  const title = `${ENDINGS[reason]} after ${secondsText(durationMs)}: ${changesText(rows, durationMs)}, ${counted(checkpoints, "checkpoint")}`;
  const record = {
    reason,
    checkpoints,
    rowsPerSecond: rowsPerSecond(rows, durationMs),
    durationMs: Math.round(durationMs),
    readMs: Math.round(summary.readMs),
    prepareMs: Math.round(summary.prepareMs),
    commitMs: Math.round(summary.commitMs),
    position: Object.fromEntries(summary.position),
  };
  return {
    text: endText(`${job}  ${title}`, figures, durationMs),
    message: "run ended",
    fields: { job, ...record, ...figuresRecord(figures) },
  };
}

/** What a run that failed has done; the same for stdout. */
export function failureLine(job: string, error: unknown, reading: FiguresReading, durationMs: number): RunLine {
  const title = `failed after ${secondsText(durationMs)}: ${changesText(reading.rows, durationMs)}`;
  const code = error instanceof FrazilError ? error.code : "INTERNAL";
  const message = error instanceof Error ? error.message : String(error);
  const record = { reason: "failed", error: { code, message }, durationMs: Math.round(durationMs) };
  return {
    text: endText(`${job}  ${title}`, reading, durationMs),
    message: "run ended",
    fields: { job, ...record, ...figuresRecord(reading) },
  };
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
