import { z } from "zod";
import { foundText } from "./scalars.ts";
import { nearest } from "./suggest.ts";

/** One thing that is wrong with a job, at a place in it. */
export interface Problem {
  /** Keys and list indexes from the top. */
  readonly path: readonly (string | number)[];
  /** Whether the place is the key itself (an unknown one) or its value. */
  readonly at: "key" | "value";
  readonly message: string;
}

/** Checks `input` against a schema: the value, or every problem in the order found. */
export function check<T>(schema: z.ZodType<T>, input: unknown): { value: T } | { problems: Problem[] } {
  const validKeys = new Map<string, readonly string[]>();
  const examples = new Map<string, string>();
  const result = schema.safeParse(input, {
    reportInput: true,
    error: (issue) => {
      if (issue.code === "unrecognized_keys") validKeys.set(pathText(issue.path ?? []), shapeKeys(issue.inst));
      if (issue.code === "invalid_type") noteExample(examples, issue.path, issue.inst);
      return undefined;
    },
  });
  if (result.success) return { value: result.data };
  const problems: Problem[] = [];
  for (const issue of result.error.issues.flatMap(flatIssues)) {
    const path = issue.path.map((part) => (typeof part === "number" ? part : String(part)));
    if (issue.code === "unrecognized_keys") {
      const valid = validKeys.get(pathText(issue.path)) ?? [];
      for (const key of issue.keys) problems.push({ path: [...path, key], at: "key", message: unknownKey(key, valid) });
    } else {
      problems.push({ path, at: "value", message: messageOf(issue, examples) });
    }
  }
  return { problems: problems.filter((problem) => !isExplained(problem, problems)) };
}

/** `tables[0].to: must be …`. */
export function problemText(problem: Problem): string {
  return problem.path.length === 0 ? problem.message : `${pathText(problem.path)}: ${problem.message}`;
}

/** `source.brokers`, `tables[0].to`. */
export function pathText(path: readonly PropertyKey[]): string {
  let text = "";
  for (const part of path) {
    text += typeof part === "number" ? `[${part}]` : `${text === "" ? "" : "."}${String(part)}`;
  }
  return text;
}

/** The keys of a strict object. zod hands the schema that raised an issue to the error function only. */
function shapeKeys(schema: unknown): readonly string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

function unknownKey(key: string, valid: readonly string[]): string {
  const near = nearest(key, valid);
  if (near !== null) return `unknown key, did you mean "${near}"?`;
  return valid.length > 0 ? `unknown key; the keys here are ${valid.join(", ")}` : "unknown key";
}

/** A missing key says nothing new when a mistyped form of it is reported beside it. */
function isExplained(problem: Problem, all: readonly Problem[]): boolean {
  const name = problem.path.at(-1);
  if (problem.message !== "is required" || typeof name !== "string") return false;
  const parent = pathText(problem.path.slice(0, -1));
  return all.some(
    (other) =>
      other.at === "key" &&
      other.message === unknownKey(String(other.path.at(-1)), [name]) &&
      pathText(other.path.slice(0, -1)) === parent,
  );
}

/** Of a choice between forms that no word tells apart, the problems of the form that was meant: the one that fails furthest inside. */
function flatIssues(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== "invalid_union" || issue.errors.length === 0) return [issue];
  const depth = (issues: readonly z.core.$ZodIssue[]): number =>
    Math.min(...issues.map((inner) => inner.path.length + (inner.code === "unrecognized_keys" ? 1 : 0)));
  const meant = issue.errors.reduce((best, issues) => (depth(issues) > depth(best) ? issues : best));
  return meant.flatMap((inner) => flatIssues({ ...inner, path: [...issue.path, ...inner.path] }));
}

const EXPECTED: Readonly<Record<string, string>> = {
  string: "a text",
  array: "a list",
  object: "a map of keys",
  record: "a map of keys",
  boolean: "true or false",
  number: "a number",
};

function messageOf(issue: z.core.$ZodIssue, examples: ReadonlyMap<string, string>): string {
  const input = issue.input;
  switch (issue.code) {
    case "invalid_type": {
      if (input === undefined) return "is required";
      if (input === null && issue.path.length === 0)
        return "the file is empty; frazil init kafka prints one to begin with";
      const example = examples.get(pathText(issue.path)) ?? null;
      const quote =
        example === null && issue.expected === "string" && (typeof input === "number" || typeof input === "boolean");
      const expected = example ?? EXPECTED[issue.expected] ?? issue.expected;
      return `must be ${expected}, found ${foundText(input)}${quote ? "; put it in quotes" : ""}`;
    }
    case "invalid_value":
      return input === undefined ? "is required" : oneOf(input, issue.values.map(String));
    case "invalid_union": {
      const options = "options" in issue && issue.options ? issue.options.map(String) : [];
      const value = issue.discriminator && isRecord(input) ? input[issue.discriminator] : input;
      return value === undefined ? `is required: one of ${options.join(", ")}` : oneOf(value, options);
    }
    case "too_small":
      return Number(issue.minimum) === 1 ? "must not be empty" : `must have at least ${issue.minimum}`;
    default:
      return issue.message;
  }
}

/** Notes `a duration, such as 10s` of a setting with a unit, which a bare number lacks. */
function noteExample(examples: Map<string, string>, path: readonly PropertyKey[] | undefined, schema: unknown): void {
  const { title, example } = schema instanceof z.ZodType ? (schema.meta() ?? {}) : {};
  if (title !== undefined && typeof example === "string")
    examples.set(pathText(path ?? []), `a ${title}, such as ${example}`);
}

function oneOf(input: unknown, valid: readonly string[]): string {
  const near = typeof input === "string" ? nearest(input, valid) : null;
  const list = valid.length === 1 ? valid[0] : `one of ${valid.join(", ")}`;
  return `must be ${list}, found ${foundText(input)}${near === null ? "" : `; did you mean "${near}"?`}`;
}

function isRecord(input: unknown): input is Record<string, unknown> {
  return typeof input === "object" && input !== null && !Array.isArray(input);
}
