import type { z } from "zod";
import { type Environment, interpolate } from "./interpolate.ts";
import { type JobOver, jobSchema, type SourceSchema } from "./job-schema.ts";
import { adviceOn, secretAdvice, type Severity, type SourceTraits } from "./lint-rules.ts";
import { type Policies, policiesSchema } from "./policies.ts";
import { check, problemText } from "./problems.ts";
import { type PlacedProblem, readYaml } from "./yaml-text.ts";

/** One thing to say about a job file, at its place in it. */
export interface Finding extends PlacedProblem {
  readonly severity: Severity;
}

/** A file that has been looked at. */
export interface Linted<T> {
  /** In the order of the file. */
  readonly findings: readonly Finding[];
  /** Null where the file has errors, or lacks a variable in a place of its own form. */
  readonly value: T | null;
}

/**
 * Looks at a job file without its source, its warehouse or its environment: a variable without a value is a warning, and what its place
 * may hold is not checked.
 *
 * @param traits Tells what a source does; called for a job without errors.
 */
export function lintJob<S extends SourceSchema>(
  text: string,
  env: Environment,
  sources: readonly S[],
  traits: (source: JobOver<S>["source"]) => SourceTraits,
): Linted<JobOver<S>> {
  return lintText(text, env, jobSchema(sources), (job) => adviceOn(job, traits(job.source)));
}

/** Looks at a file of policies of the maintenance service, as `lintJob`. */
export function lintPolicies(text: string, env: Environment): Linted<Policies> {
  return lintText(text, env, policiesSchema, () => []);
}

/** Whether a file is meant to be one of policies: by the list that only they have. */
export function looksLikePolicies(text: string): boolean {
  const { value } = readYaml(text, (scalar) => scalar);
  return typeof value === "object" && value !== null && "policies" in value && !("source" in value);
}

function lintText<T>(
  text: string,
  env: Environment,
  schema: z.ZodType<T>,
  adviseOn: (value: T) => ReturnType<typeof adviceOn>,
): Linted<T> {
  const yaml = readYaml(text, (scalar, problem) => interpolate(scalar, env, problem));
  const findings: Finding[] = [
    ...yaml.problems.map((problem): Finding => ({ ...problem, severity: "error" })),
    ...yaml.unfilled.map((problem): Finding => ({ ...problem, severity: "warning" })),
  ];
  let value: T | null = null;
  if (yaml.problems.length === 0) {
    const written = readYaml(text, (scalar) => scalar);
    const checked = check(schema, yaml.value);
    const advice = [...secretAdvice(written.value)];
    if ("value" in checked) {
      value = checked.value;
      advice.push(...adviseOn(value));
    } else {
      const unfilled = new Set(yaml.unfilled.map(placeText));
      const errors = checked.problems
        .map((problem): Finding => ({ ...yaml.positionOf(problem), severity: "error", message: problemText(problem) }))
        .filter((finding) => !unfilled.has(placeText(finding)));
      findings.push(...errors);
    }
    for (const found of advice) {
      findings.push({ ...yaml.positionOf(found), severity: found.severity, message: problemText(found) });
    }
  }
  if (findings.some(({ severity }) => severity === "error")) value = null;
  findings.sort((a, b) => a.line - b.line || a.column - b.column);
  return { findings, value };
}

function placeText({ line, column }: PlacedProblem): string {
  return `${line}:${column}`;
}
