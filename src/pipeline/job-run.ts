import type { Catalog, FileIO, PrimitiveType, TableIdent } from "../../table-format/index.ts";
import type { CommitContext } from "../commit/context.ts";
import type { DeadLetterSettings } from "../core/dead-letter.ts";
import type { Figures, FiguresReading } from "../core/figures.ts";
import type { Rejects } from "../core/format.ts";
import type { Position } from "../core/position.ts";
import type { Runtime } from "../core/runtime.ts";
import type { Source } from "../core/source.ts";
import type { DecodeNotices, TableRouter } from "../core/table-binding.ts";
import type { TableRule } from "../core/table-rule.ts";
import type { MovedRows } from "../sink/keys/forwards.ts";

/** A job as the engine runs it, everything that touches the outside handed in. */
export interface JobRun {
  readonly pipeline: string;
  readonly rules: readonly TableRule[];
  readonly checkpoint: CheckpointLimits;
  /** Null or absent: the first message that cannot be decoded ends the job. */
  readonly deadLetter?: DeadLetterSettings | null;
  /** The byte budget of the process. */
  readonly memoryBytes: number;
  /** Folder for the keys that do not fit in memory; absent: all keys are kept in memory. */
  readonly keyCache?: string | undefined;
  readonly warehouseLocation: string;
  readonly catalog: Catalog;
  readonly io: FileIO;
  readonly runtime: Runtime;
  /** Makes the source; called once, when the tables' present types are known. */
  readonly createSource: (router: TableRouter, notices: DecodeNotices, rejects: Rejects | null) => Source;
  /**
   * What goes on beside ingestion, from when the pipeline has been taken over until `stop`; it never rejects. The job's end waits for it for
   * a few seconds at most.
   */
  readonly beside?: ((held: BesideIngestion) => Promise<void>) | undefined;
  readonly end: JobEnd;
  /** Aborted by the first signal: the checkpoint is finished, then the job ends. */
  readonly stop: AbortSignal;
  readonly observer: JobObserver;
  /** Counts what the job does, for somebody who reads it meanwhile; by default the job counts for its summary alone. */
  readonly figures?: Figures | undefined;
}

/** What runs beside ingestion is given. */
export interface BesideIngestion {
  /** The commit queue in it is shared with ingestion. */
  readonly context: CommitContext;
  /** The tables that the job holds now. */
  readonly tables: () => readonly TableIdent[];
  /** Bytes of the job's budget that are left for it. */
  readonly memoryBytes: number;
  /** To be told where it has moved a table's rows, in the turn of the commit that did. */
  readonly moved: (table: TableIdent, rows: MovedRows) => void;
  /** Aborted when the job is told to end, or ends. */
  readonly stop: AbortSignal;
  /** Aborted when the last checkpoint has been committed, or nothing more will be. */
  readonly over: AbortSignal;
}

/** A checkpoint closes on whichever comes first. */
export interface CheckpointLimits {
  readonly intervalMs: number;
  readonly maxRows: number;
  readonly maxSizeBytes: number;
  /** At most this often the position is committed without rows. */
  readonly idleCommitMs: number;
}

/** When the job ends by itself; all null: never. */
export interface JobEnd {
  /** At the end offsets read at the start. */
  readonly caughtUp: boolean;
  readonly afterMs: number | null;
  readonly maxRows: number | null;
}

export interface CommitEvent {
  readonly checkpoint: bigint;
  readonly table: string;
  readonly snapshotId: bigint;
  readonly rows: number;
  readonly inserts: number;
  readonly updates: number;
  readonly deletes: number;
  /** Changes that the table does not take. */
  readonly dropped: number;
  /** Data and delete files that were added, and their size. */
  readonly files: number;
  readonly bytes: number;
  readonly prepareMs: number;
  readonly commitMs: number;
  /** How old the changes were when they were committed, after the source's own times; null where it tells none. */
  readonly freshnessMs: number | null;
}

export interface StartEvent {
  readonly epoch: bigint;
  /** Null for a pipeline that has no table yet. */
  readonly resumeFrom: Position | null;
  readonly checkpoint: bigint;
}

export interface ProgressEvent {
  readonly rows: number;
  readonly records: number;
  readonly bufferedRows: number;
  readonly bufferedBytes: number;
  readonly reached: Position;
  /** Where a bounded run ends; null for one that goes on. */
  readonly target: Position | null;
  readonly from: Position;
}

/** What a job tells while it runs. */
export interface JobObserver {
  started(event: StartEvent): void;
  progress(event: ProgressEvent): void;
  committed(event: CommitEvent): void;
  /** A column's type was inferred, a stream matched no table, a store makes us wait. Said once each. */
  notice(message: string): void;
}

/** How a job ended. */
export interface JobSummary {
  readonly reason: "caught-up" | "time" | "rows" | "stopped";
  readonly rows: number;
  readonly records: number;
  /** Messages that could not be decoded and went to the dead-letter table. */
  readonly deadLetters: number;
  readonly checkpoints: number;
  readonly durationMs: number;
  /** Time spent waiting for the source (fetching and decoding), preparing and committing. */
  readonly readMs: number;
  readonly prepareMs: number;
  readonly commitMs: number;
  readonly position: Position;
  /** Everything that was counted, as of the end. */
  readonly figures: FiguresReading;
}

/** Present column types by table and column. */
export type TableTypes = ReadonlyMap<string, ReadonlyMap<string, PrimitiveType>>;
