// The public face of the engine: the only file of `src` that jobs and other packages import.
export { loadJob, parseJob } from "./config/load.ts";
export { EXIT, exitCodeOf, FrazilError, type ErrorKind } from "./core/errors.ts";
export type { Clock, Log, Random, Runtime } from "./core/runtime.ts";
export type { CommitEvent, JobEnd, JobObserver, JobSummary, ProgressEvent, StartEvent } from "./pipeline/job-run.ts";
export { SOURCES, type AnyJob } from "./registry.ts";
export { run, type RunControl } from "./run.ts";
export {
  expectedTables,
  type PlainChange,
  type PlainRow,
  type PlainValue,
  shopChangelog,
} from "./sources/generator/expected.ts";
