import {
  and,
  bindExpression,
  type Expression,
  FrazilError,
  isComparable,
  type NestedField,
  or,
  type PrimitiveType,
  type Schema,
} from "../../../table-format/index.ts";
import { columnLiteral } from "./column-literal.ts";
import type { ColumnPath, Comparison, Condition, Literal } from "./condition.ts";
import { parseCondition } from "./parse.ts";

const TRUE: Expression = { type: "true" };
const FALSE: Expression = { type: "false" };

/**
 * A condition of DuckDB's SQL as an expression that is true of the same rows. Null where it is not of the small part that `parseCondition`
 * reads, or compares what cannot be compared exactly: whoever asks leaves it to DuckDB, which refuses what is wrong.
 */
export function conditionExpression(text: string, schema: Schema): Expression | null {
  const condition = parseCondition(text);
  const expression = condition === null ? null : translate(condition, schema, false);
  if (expression === null) return null;
  try {
    bindExpression(expression, schema);
    return expression;
  } catch (error) {
    if (error instanceof FrazilError && error.kind === "config") return null;
    throw error;
  }
}

/** @param negated Of which rows it is false: not those of which it is unknown. */
function translate(condition: Condition, schema: Schema, negated: boolean): Expression | null {
  switch (condition.kind) {
    case "constant":
      return condition.value === null || condition.value === negated ? FALSE : TRUE;
    case "not":
      return translate(condition.part, schema, !negated);
    case "and":
    case "or": {
      const parts = condition.parts.map((part) => translate(part, schema, negated));
      if (!parts.every((part) => part !== null)) return null;
      return (condition.kind === "and") === negated ? or(...parts) : and(...parts);
    }
    default: {
      const column = columnOf(schema.fields, condition.column);
      return column === null ? null : predicate(condition, column, negated);
    }
  }
}

interface Column {
  readonly term: string;
  readonly type: PrimitiveType;
}

/** Names are found in any case of their letters, as in DuckDB. */
function columnOf(fields: readonly NestedField[], path: ColumnPath): Column | null {
  const [name = "", ...inner] = path;
  const found = fields.filter((field) => lower(field.name) === lower(name));
  const [field] = found;
  if (field === undefined || found.length > 1) return null;
  if (inner.length === 0) {
    const { type } = field;
    return type.kind === "unknown" || isComparable(type) ? { term: field.name, type } : null;
  }
  const column = field.type.kind === "struct" ? columnOf(field.type.fields, inner) : null;
  return column === null ? null : { ...column, term: `${field.name}.${column.term}` };
}

/** Other letters have one case to DuckDB. */
function lower(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

type Predicate = Extract<Condition, { readonly column: ColumnPath }>;

function predicate(condition: Predicate, { term, type }: Column, negated: boolean): Expression | null {
  switch (condition.kind) {
    case "null":
      return { type: negated ? "not-null" : "is-null", term };
    case "column":
      return type.kind === "boolean" ? { type: "eq", term, value: !negated } : null;
    case "nan":
      if (!isReal(type)) return null;
      return negated ? and({ type: "not-nan", term }, { type: "not-null", term }) : { type: "is-nan", term };
    case "like":
      return type.kind === "string" ? likePredicate(term, condition.pattern, negated) : null;
    case "in":
      return inPredicate(term, type, condition.literals, negated);
    case "compare":
      return comparison(term, type, negated ? OPPOSITE[condition.operator] : condition.operator, condition.literal);
  }
}

function isReal({ kind }: PrimitiveType): boolean {
  return kind === "float" || kind === "double";
}

const OPPOSITE: Readonly<Record<Comparison, Comparison>> = {
  eq: "not-eq",
  "not-eq": "eq",
  lt: "gt-eq",
  "gt-eq": "lt",
  gt: "lt-eq",
  "lt-eq": "gt",
};

function comparison(term: string, type: PrimitiveType, operator: Comparison, given: Literal): Expression | null {
  // Unknown of every row.
  if (given.kind === "null") return FALSE;
  const literal = columnLiteral(type, given);
  if (literal === null) return null;
  if ("below" in literal) return besides(term, operator, literal.below);
  const expression: Expression = { type: operator, term, value: literal.value };
  // To DuckDB NaN is the greatest of all numbers, to Iceberg in no order with them.
  const reaches = isReal(type) && (operator === "gt" || operator === "gt-eq");
  return reaches ? or(expression, { type: "is-nan", term }) : expression;
}

/** A comparison with something between `below` and the next value of the type. */
function besides(term: string, operator: Comparison, below: bigint): Expression {
  switch (operator) {
    case "eq":
      return FALSE;
    case "not-eq":
      return { type: "not-null", term };
    case "lt":
    case "lt-eq":
      return { type: "lt-eq", term, value: below };
    case "gt":
    case "gt-eq":
      return { type: "gt", term, value: below };
  }
}

function inPredicate(
  term: string,
  type: PrimitiveType,
  literals: readonly Literal[],
  negated: boolean,
): Expression | null {
  const given = literals.filter(({ kind }) => kind !== "null");
  const found = given.map((literal) => columnLiteral(type, literal));
  if (!found.every((literal) => literal !== null)) return null;
  // No value is known to be different from a null.
  if (negated && given.length < literals.length) return FALSE;
  const values = found.flatMap((literal) => ("value" in literal ? [literal.value] : []));
  if (values.length === 0) return negated ? { type: "not-null", term } : FALSE;
  return { type: negated ? "not-in" : "in", term, values };
}

/** A pattern with nothing but a `%` at its end, or no wildcard at all. */
function likePredicate(term: string, pattern: string, negated: boolean): Expression | null {
  const match = /^([^%_\\]+)(%?)$/s.exec(pattern);
  if (match === null) return null;
  const [, value = "", wildcard] = match;
  if (wildcard === "") return { type: negated ? "not-eq" : "eq", term, value };
  return { type: negated ? "not-starts-with" : "starts-with", term, value };
}
