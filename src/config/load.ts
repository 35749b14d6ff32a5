import type { z } from "zod";
import { counted } from "../core/count-text.ts";
import { FrazilError } from "../core/errors.ts";
import { type Environment, interpolate } from "./interpolate.ts";
import {
  type JobOver,
  type SourceSchema,
  type WarehouseInput,
  type WarehouseSettings,
  jobSchema,
  warehouseSchema,
} from "./job-schema.ts";
import { check, problemText } from "./problems.ts";
import { readYaml } from "./yaml-text.ts";

/**
 * Reads a job file.
 *
 * @param text The file's content: YAML 1.2.
 * @param path Its name, for messages.
 * @param env Environment variables for `${VAR}`.
 * @param sources The settings of each source type there is.
 * @throws FrazilError kind `config`, code `JOB_INVALID`: every problem on a line of its own, as `path:line:col  error  place: what`.
 */
export function loadJob<S extends SourceSchema>(
  text: string,
  path: string,
  env: Environment,
  sources: readonly S[],
): JobOver<S> {
  const job = readChecked(jobSchema(sources), text, path, env, "JOB_INVALID");
  return { ...job, warehouse: withEnvironment(job.warehouse, env) };
}

/** Reads a YAML file by its schema, `${VAR}` from the environment. @throws FrazilError kind `config` with the given code, as `loadJob`. */
export function readChecked<T>(schema: z.ZodType<T>, text: string, path: string, env: Environment, code: string): T {
  const yaml = readYaml(text, (scalar, problem) => interpolate(scalar, env, problem));
  const problems = [...yaml.problems, ...yaml.unfilled];
  // A scalar whose variable is missing has no sensible value: checking it would only report it twice.
  if (problems.length === 0) {
    const checked = check(schema, yaml.value);
    if ("value" in checked) return checked.value;
    problems.push(
      ...checked.problems.map((problem) => ({ ...yaml.positionOf(problem), message: problemText(problem) })),
    );
  }
  problems.sort((a, b) => a.line - b.line || a.column - b.column);
  const lines = problems.map(({ line, column, message }) => `${path}:${line}:${column}  error  ${message}`);
  throw invalid(code, path, lines);
}

/**
 * Checks a job given as an object of the job file's shape (`defineJob`); nothing is interpolated.
 *
 * @param env Where `AWS_*` is looked for; nowhere by default.
 * @throws FrazilError kind `config`, code `JOB_INVALID`.
 */
export function parseJob<S extends SourceSchema>(
  input: unknown,
  sources: readonly S[],
  env: Environment = {},
): JobOver<S> {
  const checked = check(jobSchema(sources), input);
  if ("value" in checked) return { ...checked.value, warehouse: withEnvironment(checked.value.warehouse, env) };
  throw invalid("JOB_INVALID", "the job", checked.problems.map(problemText));
}

/**
 * What a job file whose `warehouse:` has this location alone would mean.
 *
 * @throws FrazilError kind `config`, code `WAREHOUSE_INVALID`.
 */
export function warehouseAt(location: string, env: Environment): WarehouseSettings {
  return parseWarehouse({ location }, env);
}

/**
 * Checks a `warehouse:` block given as an object.
 *
 * @throws FrazilError kind `config`, code `WAREHOUSE_INVALID`.
 */
export function parseWarehouse(input: WarehouseInput, env: Environment): WarehouseSettings {
  const checked = check(warehouseSchema, input);
  if ("value" in checked) return withEnvironment(checked.value, env);
  const inner = checked.problems.map(({ path, ...problem }) =>
    // A location alone is what is wrong with it.
    problemText({ ...problem, path: path[0] === "location" ? [] : path }),
  );
  // A program that nobody checked the types of may give anything.
  const name = typeof input?.location === "string" ? `warehouse "${input.location}"` : "the warehouse";
  const message = `${name}: ${inner.join("; ")}`;
  throw new FrazilError("config", "WAREHOUSE_INVALID", message);
}

/**
 * An endpoint that only the environment names (`AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`) counts as one that the job names, with
 * what follows from it: stores other than AWS want the bucket in the path, and have a region of their own unless AWS_* names one.
 */
export function withEnvironment(settings: WarehouseSettings, env: Environment): WarehouseSettings {
  const variable = (...names: string[]): string | undefined => names.map((name) => env[name]).find(Boolean);
  const endpoint = settings.s3.endpoint ?? variable("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL");
  if (!settings.location.startsWith("s3://") || endpoint === undefined) return settings;
  if (!/^https?:\/\/./.test(endpoint) || !URL.canParse(endpoint)) {
    const name = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"].find((each) => env[each] === endpoint);
    throw new FrazilError(
      "config",
      "BAD_VARIABLE",
      `${name ?? "warehouse.s3.endpoint"} must be an http:// or https:// address, found "${endpoint}"`,
      { hint: "write http://localhost:9000, or unset it for AWS" },
    );
  }
  const region = settings.s3.region ?? variable("AWS_REGION", "AWS_DEFAULT_REGION");
  return { ...settings, s3: { ...settings.s3, endpoint, region } };
}

function invalid(code: string, subject: string, lines: readonly string[]): FrazilError {
  return new FrazilError("config", code, [`${subject} has ${counted(lines.length, "error")}`, ...lines].join("\n"));
}
