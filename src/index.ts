// The public face of the engine: the only file of `src` that jobs and other packages import.
export type { WarehouseInput } from "./config/job-schema.ts";
export { loadJob, parseJob } from "./config/load.ts";
export { EXIT, exitCodeOf, FrazilError, type ErrorKind } from "./core/errors.ts";
export type { Clock, Log, Random, Runtime } from "./core/runtime.ts";
export type { Checkpoint, CheckpointTable } from "./library/checkpoint-feed.ts";
export {
  defineJob,
  generator,
  type Job,
  type JobDefinition,
  kafka,
  type SourceInput,
  table,
} from "./library/define-job.ts";
export { type ConsistentReader, openWarehouse, type WarehouseReader } from "./library/open-warehouse.ts";
export type { Point } from "./library/point.ts";
export type { Row, RowValue } from "./library/row.ts";
export { runJob, type RunningJob, type RunOptions, type RunUntil } from "./library/run-job.ts";
export type { SqlValue } from "./library/sql-value.ts";
export type { ChangedRow, ChangesOptions, TableChanges } from "./library/table-changes.ts";
export type { ColumnOptions, SnapshotInfo, TableReader, TableView } from "./library/table-reader.ts";
export type { CommitEvent, JobEnd, JobObserver, JobSummary, ProgressEvent, StartEvent } from "./pipeline/job-run.ts";
export type { Part } from "./query/row-choice.ts";
export { SOURCES, type AnyJob } from "./registry.ts";
export { run, type RunControl } from "./run.ts";
export {
  expectedTables,
  type PlainChange,
  type PlainRow,
  type PlainValue,
  shopChangelog,
} from "./sources/generator/expected.ts";
