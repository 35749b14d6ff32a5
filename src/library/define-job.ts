import type { z } from "zod";
import type { JobInput, WarehouseInput } from "../config/job-schema.ts";
import { parseJob } from "../config/load.ts";
import { type AnyJob, SOURCES } from "../registry.ts";
import { systemEnvironment } from "../system.ts";

/** A job that has been checked, defaults filled in. */
export type Job = AnyJob;

/** A `source:` block as it is written, told apart by `type`. */
export type SourceInput = z.input<(typeof SOURCES)[number]>;

/** A job in the words of the job file; `warehouse` may be its location alone. */
export type JobDefinition = Omit<JobInput<SourceInput>, "warehouse"> & {
  /** `./warehouse` and `s3://lake/warehouse` are short for `{ location: … }`. */
  readonly warehouse: string | WarehouseInput;
};

/**
 * Checks a job and fills in its defaults: the job file in TypeScript, with the same keys and the same errors. Texts are taken as they
 * are: `${VAR}` stands for nothing here. Without `cache` all keys stay in memory.
 *
 * @throws FrazilError kind `config`, code `JOB_INVALID`, with every problem on a line of its own.
 */
export function defineJob(definition: JobDefinition): Job {
  const { warehouse } = definition;
  const input = typeof warehouse === "string" ? { ...definition, warehouse: { location: warehouse } } : definition;
  return parseJob(input, SOURCES, systemEnvironment);
}

/** The settings of one type of source, without the type. */
type SettingsOf<T extends SourceInput["type"]> = Omit<Extract<SourceInput, { readonly type: T }>, "type">;

/** Topics of Apache Kafka as a job's `source`. */
export function kafka(settings: SettingsOf<"kafka">): SourceInput {
  return { ...settings, type: "kafka" };
}

/** A made-up shop's changelog as a job's `source`, for trying things out. Needs no server. */
export function generator(settings: SettingsOf<"generator"> = {}): SourceInput {
  return { ...settings, type: "generator" };
}

/** A table, its rows and then its changes, as a job's `source`. */
export function table(settings: SettingsOf<"table">): SourceInput {
  return { ...settings, type: "table" };
}
