import {
  fieldByName,
  FrazilError,
  newSchema,
  parsePartitionBy,
  parseSortBy,
  type Schema,
} from "../../table-format/index.ts";
import type { TableRule } from "../core/table-rule.ts";
import type { Job } from "./job-schema.ts";
import type { Problem } from "./problems.ts";

/** What a source does, as far as it decides whether a job makes sense. */
export interface SourceTraits {
  /** Its changes name the columns that tell rows apart. */
  readonly namesKey: boolean;
  /** Its changes come in topics whose partitions are ordered each on its own. */
  readonly topics: boolean;
  /** Its times come without a zone. */
  readonly zoneless?: boolean;
}

/** `error`: the job cannot run. `warning`: it runs, most likely otherwise than meant. `note`: something only the user can know. */
export type Severity = "error" | "warning" | "note";

/** What a rule has found in a job that the schema accepts. */
export interface Advice extends Problem {
  readonly severity: Severity;
}

/** Everything that can be said of a valid job without its source, its warehouse or the environment. */
export function adviceOn(job: Job, traits: SourceTraits): Advice[] {
  return job.tables.flatMap((route, index) => [
    ...keyAdvice(route, index, traits),
    ...typeAdvice(route, index),
    ...zoneAdvice(route, index, traits),
    ...expressionAdvice(route, index, "partition_by", route.partitionBy, parsePartitionBy),
    ...expressionAdvice(route, index, "sort_by", route.sortBy ?? [], parseSortBy),
    ...orderAdvice(job.tables, index),
    ...targetAdvice(job.tables, index),
  ]);
}

function keyAdvice(route: TableRule, index: number, traits: SourceTraits): Advice[] {
  if (route.mode !== "upsert") return [];
  const found: Advice[] = [];
  if (route.key === null && !traits.namesKey) {
    const message = "the messages of this format do not name a key: give key: with the columns that tell rows apart";
    found.push(advice("warning", ["tables", index, "mode"], message));
  }
  if (traits.topics && /[*?]/.test(route.from) && !/\$\{(table|topic)\}/.test(route.to)) {
    const message = `several topics may write ${route.to}, and rows of equal key replace one another in no defined order; put \${table} into to:, or name one topic`;
    found.push(advice("warning", ["tables", index, "from"], message));
  }
  if (traits.topics && route.key !== null) {
    const message = `all changes of one ${route.key.join(", ")} must lie in one topic partition: across partitions their order is not defined`;
    found.push(advice("note", ["tables", index, "key"], message));
  }
  return found;
}

/** Iceberg allows no identifier fields of a type whose equal values may differ (spec, "Identifier Field IDs"). */
function typeAdvice(route: TableRule, index: number): Advice[] {
  return (route.key ?? []).flatMap((column, place) => {
    const type = route.columns.get(column);
    if (type?.kind !== "float" && type?.kind !== "double") return [];
    return [advice("error", ["tables", index, "key", place], `${column} is a ${type.kind}, which cannot be a key`)];
  });
}

/** A wall clock becomes an instant only by somebody's word. */
function zoneAdvice(route: TableRule, index: number, traits: SourceTraits): Advice[] {
  if (traits.zoneless !== true) return [];
  return [...route.columns].flatMap(([column, { kind }]) => {
    if (kind !== "timestamptz" && kind !== "timestamptz_ns") return [];
    const message = `the times of this format come without a zone and are read as UTC: what writes them must run in UTC`;
    return [advice("note", ["tables", index, "columns", column], message)];
  });
}

/** Transforms are held against the types that the job itself gives. */
function expressionAdvice(
  route: TableRule,
  index: number,
  setting: "partition_by" | "sort_by",
  expressions: readonly string[],
  parse: (expressions: readonly string[], schema: Schema) => unknown,
): Advice[] {
  const declared = newSchema(
    [...route.columns].map(([name, type]) => ({ name, type, required: false })),
    [],
  );
  return expressions.flatMap((expression, place) => {
    const path = ["tables", index, setting, place];
    const column = /^(?:[a-z]+\((?:\s*\d+\s*,)?)?\s*([^\s(),]+)/i.exec(expression)?.[1] ?? expression;
    if (fieldByName(declared, column) === null) {
      if (!/^(year|month|day|hour)\(/.test(expression)) return [];
      const message = `needs ${column} to be a date or a timestamp: messages without a schema do not say so, then add columns: { ${column}: timestamptz }`;
      return [advice("note", path, message)];
    }
    try {
      parse([expression], declared);
      return [];
    } catch (error) {
      if (!(error instanceof FrazilError)) throw error;
      return [advice("error", path, error.hint === undefined ? error.message : `${error.message}; ${error.hint}`)];
    }
  });
}

/** The first match wins, so what an earlier pattern covers never comes to a later entry. */
function orderAdvice(routes: readonly TableRule[], index: number): Advice[] {
  const { from } = routes[index] as TableRule;
  const earlier = routes.slice(0, index).findIndex((route) => route.from !== from && covers(route.from, from));
  if (earlier < 0) return [];
  const message = `never matches: tables[${earlier}] (${routes[earlier]?.from}) takes it first; put this entry before that one`;
  return [advice("warning", ["tables", index, "from"], message)];
}

/** Two entries may not write one table: each would have its own mind about the columns, and rows of equal key no order. */
function targetAdvice(routes: readonly TableRule[], index: number): Advice[] {
  const { to, from } = routes[index] as TableRule;
  const other = to.includes("${") ? -1 : routes.slice(0, index).findIndex((route) => route.to === to);
  if (other < 0) return [];
  const message = `tables[${other}] (from: ${routes[other]?.from}) writes ${to} too, and a table has one entry; give one entry a pattern that covers both, or write ${from} to another table`;
  return [advice("error", ["tables", index, "to"], message)];
}

/** Whether everything that `from` matches matches `pattern`; a wild `from` is covered where the pattern takes it as a text. */
function covers(pattern: string, from: string): boolean {
  const source = pattern.replace(/[.*+?^${}()|[\]\\]/g, (character) =>
    character === "*" ? ".*" : character === "?" ? "[^*]" : `\\${character}`,
  );
  return new RegExp(`^${source}$`, "s").test(from);
}

/** Keys whose values are secrets. */
const SECRET = /^(password|secret_access_key|session_token|token|credential)$/;

/** Secrets that stand in the file itself; `file` is its content before variables are put in. */
export function secretAdvice(file: unknown, path: readonly (string | number)[] = []): Advice[] {
  if (typeof file !== "object" || file === null) return [];
  const entries: [string | number, unknown][] = Array.isArray(file) ? [...file.entries()] : Object.entries(file);
  return entries.flatMap(([name, value]) => {
    if (typeof value !== "string" || !SECRET.test(String(name))) return secretAdvice(value, [...path, name]);
    if (value.includes("${")) return [];
    const message = `a secret in the file; write \${${String(name).toUpperCase()}} and set it in the environment`;
    return [advice("warning", [...path, name], message)];
  });
}

function advice(severity: Severity, path: Advice["path"], message: string): Advice {
  return { severity, path, at: "value", message };
}
