/**
 * How a run ended: `done` something was changed; `nothing` there was nothing to do; `skipped` this table does not allow it; `failed`;
 * `interrupted` the process that ran it went away. `running` stands there from before the first change to the end.
 */
export type RunOutcome = "running" | "done" | "nothing" | "skipped" | "failed" | "interrupted";

/** What a run did to a table's files. */
export interface RunEffect {
  /** What was rewritten or deleted, and what stands in its place. */
  readonly filesBefore: number;
  readonly filesAfter: number;
  readonly bytesBefore: bigint;
  readonly bytesAfter: bigint;
  /** The last snapshot that it made, or named by a tag; null: none. */
  readonly snapshotId: bigint | null;
}

export const NO_EFFECT: RunEffect = {
  filesBefore: 0,
  filesAfter: 0,
  bytesBefore: 0n,
  bytesAfter: 0n,
  snapshotId: null,
};

/** One maintenance of one table. */
export interface RunRecord extends RunEffect {
  /** Told apart by it: 16 hexadecimal digits, random. */
  readonly id: string;
  /** Milliseconds since 1970 UTC: when it began, and the point of the schedule that it was for. */
  readonly startedMs: number;
  readonly pointMs: number;
  /** `namespace.table`. */
  readonly table: string;
  /** `compact`, `tag daily`. */
  readonly kind: string;
  /** `service`, or the job in whose process it ran. */
  readonly by: string;
  readonly outcome: RunOutcome;
  /** Why it was skipped or failed, or what was found; null where the figures say it all. */
  readonly reason: string | null;
  readonly durationMs: number;
}

/** A record as a JSON object: times in RFC 3339, ids as texts. */
type RecordFields = {
  readonly [K in "id" | "started" | "point" | "table" | "kind" | "by"]: string;
} & {
  readonly [K in "filesBefore" | "filesAfter" | "bytesBefore" | "bytesAfter" | "ms"]: number;
} & { readonly outcome: RunOutcome; readonly reason: string | null; readonly snapshotId: string | null };

/** The record as the fields of a JSON line, as the history holds it and the command line prints it. */
export function recordFields(run: RunRecord): RecordFields {
  return {
    id: run.id,
    started: new Date(run.startedMs).toISOString(),
    table: run.table,
    kind: run.kind,
    outcome: run.outcome,
    reason: run.reason,
    filesBefore: run.filesBefore,
    filesAfter: run.filesAfter,
    bytesBefore: Number(run.bytesBefore),
    bytesAfter: Number(run.bytesAfter),
    snapshotId: run.snapshotId === null ? null : String(run.snapshotId),
    ms: Math.round(run.durationMs),
    point: new Date(run.pointMs).toISOString(),
    by: run.by,
  };
}

/** The record of a line; null for one that is none, such as what a newer version may write. */
export function parseRecord(line: string): RunRecord | null {
  try {
    const fields = JSON.parse(line) as RecordFields;
    const record: RunRecord = {
      id: fields.id,
      startedMs: Date.parse(fields.started),
      pointMs: Date.parse(fields.point),
      table: fields.table,
      kind: fields.kind,
      by: fields.by,
      outcome: fields.outcome,
      reason: fields.reason,
      filesBefore: fields.filesBefore,
      filesAfter: fields.filesAfter,
      bytesBefore: BigInt(fields.bytesBefore),
      bytesAfter: BigInt(fields.bytesAfter),
      snapshotId: fields.snapshotId === null ? null : BigInt(fields.snapshotId),
      durationMs: fields.ms,
    };
    return typeof record.id === "string" && Number.isFinite(record.startedMs) ? record : null;
  } catch {
    return null;
  }
}
