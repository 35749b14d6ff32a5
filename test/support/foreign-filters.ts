// Filters as other engines want them.
import type { Expression, PrimitiveType, Value } from "../../table-format/index.ts";
import { canonicalCell } from "./canonical-cells.ts";

/** The types of columns by their names. */
export type ColumnTypes = ReadonlyMap<string, PrimitiveType>;

const OPPOSITES: Readonly<Record<string, string>> = {
  "is-null": "not-null",
  "is-nan": "not-nan",
  lt: "gt-eq",
  "lt-eq": "gt",
  eq: "not-eq",
  in: "not-in",
  "starts-with": "not-starts-with",
};
const OPPOSITE = new Map(Object.entries(OPPOSITES).flatMap(([a, b]) => [[a, b] as const, [b, a] as const]));

/**
 * The same filter for engines that take null for a value that is not in a list, or not equal to another where a file lacks the column: without
 * `not`, and with the nulls of these left out, those of `not-nan` let in.
 */
export function guarded(filter: Expression, isNegated = false): Expression {
  switch (filter.type) {
    case "true":
    case "false":
      return { type: (filter.type === "true") === isNegated ? "false" : "true" };
    case "not":
      return guarded(filter.child, !isNegated);
    case "and":
    case "or": {
      const [left, right] = [guarded(filter.left, isNegated), guarded(filter.right, isNegated)];
      return { type: (filter.type === "and") === isNegated ? "or" : "and", left, right };
    }
  }
  const type = isNegated ? OPPOSITE.get(filter.type) : filter.type;
  const plain = { ...filter, type } as Expression;
  const { term } = filter;
  const isOther = plain.type === "not-eq" || plain.type === "not-starts-with";
  if (isOther || (plain.type === "not-in" && plain.values.length > 0)) {
    return { type: "and", left: plain, right: { type: "not-null", term } };
  }
  return plain.type === "not-nan" ? { type: "or", left: plain, right: { type: "is-null", term } } : plain;
}

/** A filter for `filters.py`. */
export function pyicebergFilter(filter: Expression, types: ColumnTypes): object {
  switch (filter.type) {
    case "true":
    case "false":
      return filter;
    case "not":
      return { type: "not", child: pyicebergFilter(filter.child, types) };
    case "and":
    case "or":
      return {
        type: filter.type,
        left: pyicebergFilter(filter.left, types),
        right: pyicebergFilter(filter.right, types),
      };
  }
  const literal = (value: Value) => pyicebergLiteral(types.get(filter.term) as PrimitiveType, value);
  if ("values" in filter) return { ...filter, values: filter.values.map(literal) };
  return "value" in filter ? { ...filter, value: literal(filter.value) } : filter;
}

/** A value without quotes. */
function textOf(type: PrimitiveType, value: Value): string {
  const cell = canonicalCell(type, value);
  return typeof cell === "string" ? cell : JSON.stringify(cell);
}

function pyicebergLiteral(type: PrimitiveType, value: Value): object {
  const text = textOf(type, value);
  switch (type.kind) {
    case "int":
    case "long":
      return { as: "int", text };
    case "boolean":
      return { as: "boolean", text };
    case "float":
    case "double":
      return { as: "float", text };
    case "fixed":
    case "binary":
      return { as: "bytes", text };
    default:
      return { as: "text", text };
  }
}

const COMPARISONS: Readonly<Partial<Record<Expression["type"], string>>> = {
  lt: "<",
  "lt-eq": "<=",
  gt: ">",
  "gt-eq": ">=",
  eq: "=",
  "not-eq": "<>",
};

/** What differs between dialects of SQL. */
interface Dialect {
  column(name: string): string;
  literal(type: PrimitiveType, value: Value): string;
  /** A function of two texts. */
  readonly startsWith: string;
}

const DUCKDB: Dialect = { column: (name) => `"${name}"`, literal: duckdbLiteral, startsWith: "starts_with" };
const SPARK: Dialect = { column: (name) => `\`${name}\``, literal: sparkLiteral, startsWith: "startswith" };

/** A filter in DuckDB's SQL, `not` and all: what null does is left to DuckDB. */
export function duckdbFilter(filter: Expression, types: ColumnTypes): string {
  return sqlFilter(filter, types, DUCKDB);
}

/** A filter in Spark's SQL, as `duckdbFilter`; but of what is said of floats, `not` is taken in, as NaN is the greatest number there. */
export function sparkFilter(filter: Expression, types: ColumnTypes): string {
  return sqlFilter(mentionsReal(filter, types) ? guarded(filter) : filter, types, SPARK);
}

const isReal = (type: PrimitiveType | undefined): boolean => type?.kind === "float" || type?.kind === "double";

function mentionsReal(filter: Expression, types: ColumnTypes): boolean {
  switch (filter.type) {
    case "true":
    case "false":
      return false;
    case "not":
      return mentionsReal(filter.child, types);
    case "and":
    case "or":
      return mentionsReal(filter.left, types) || mentionsReal(filter.right, types);
    default:
      return isReal(types.get(filter.term));
  }
}

function sqlFilter(filter: Expression, types: ColumnTypes, dialect: Dialect): string {
  switch (filter.type) {
    case "true":
    case "false":
      return filter.type;
    case "not":
      return `NOT (${sqlFilter(filter.child, types, dialect)})`;
    case "and":
    case "or":
      return `((${sqlFilter(filter.left, types, dialect)}) ${filter.type} (${sqlFilter(filter.right, types, dialect)}))`;
  }
  const column = dialect.column(filter.term);
  const type = types.get(filter.term) as PrimitiveType;
  const literal = (value: Value) => dialect.literal(type, value);
  switch (filter.type) {
    case "is-null":
      return `${column} IS NULL`;
    case "not-null":
      return `${column} IS NOT NULL`;
    case "is-nan":
      return `coalesce(isnan(${column}), false)`;
    case "not-nan":
      return `NOT coalesce(isnan(${column}), false)`;
    case "in":
    case "not-in": {
      const isIn = filter.type === "in";
      if (filter.values.length === 0) return String(!isIn);
      return `${column} ${isIn ? "IN" : "NOT IN"} (${filter.values.map(literal).join(", ")})`;
    }
    case "starts-with":
      return `${dialect.startsWith}(${column}, ${literal(filter.value)})`;
    case "not-starts-with":
      return `NOT ${dialect.startsWith}(${column}, ${literal(filter.value)})`;
  }
  const compared = `${column} ${COMPARISONS[filter.type]} ${literal(filter.value)}`;
  const isAbove = filter.type === "gt" || filter.type === "gt-eq";
  return dialect === SPARK && isAbove && isReal(type) ? `(${compared} AND NOT isnan(${column}))` : compared;
}

function duckdbLiteral(type: PrimitiveType, value: Value): string {
  const text = textOf(type, value);
  const quoted = `'${text.replaceAll("'", "''")}'`;
  switch (type.kind) {
    case "decimal":
      return `${quoted}::DECIMAL(${type.precision}, ${type.scale})`;
    case "string":
      return quoted;
    case "fixed":
    case "binary":
      return `from_hex(${quoted})`;
    case "long":
      return `${quoted}::BIGINT`;
    default:
      return `${quoted}::${type.kind.toUpperCase()}`;
  }
}

function sparkLiteral(type: PrimitiveType, value: Value): string {
  const text = textOf(type, value);
  const quoted = `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  switch (type.kind) {
    case "string":
      return quoted;
    case "fixed":
    case "binary":
      return `X${quoted}`;
    case "decimal":
      return `CAST(${quoted} AS DECIMAL(${type.precision}, ${type.scale}))`;
    case "long":
      return `CAST(${quoted} AS BIGINT)`;
    case "timestamp":
      return `CAST(${quoted} AS TIMESTAMP_NTZ)`;
    case "timestamptz":
      return `CAST(${quoted} AS TIMESTAMP)`;
    default:
      return `CAST(${quoted} AS ${type.kind.toUpperCase()})`;
  }
}
