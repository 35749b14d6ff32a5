import type { Value } from "../manifest/data-file.ts";

/**
 * A condition on the rows of a table, in the form of the REST catalog's specification (`Expression` of its OpenAPI file), so with its
 * names: `{ type: "and", left: { type: "gt-eq", term: "id", value: 5n }, right: { type: "starts-with", term: "name", value: "a" } }`.
 *
 * A condition picks the rows of which it is true. As in SQL a comparison with null is neither true nor false, also under `not`, and so
 * are `in`, `starts-with` and their opposites. NaN is unequal to every number and in no order to them: of NaN only `not-eq`, `not-in`,
 * `is-nan` and `not-null` are true, and `not` before another comparison is its opposite (`not` of `lt` is `gt-eq`), as in Java.
 * `is-nan` of null is false, `not-nan` true. −0.0 equals 0.0.
 */
export type Expression =
  | { readonly type: "true" | "false" }
  | { readonly type: "and" | "or"; readonly left: Expression; readonly right: Expression }
  | { readonly type: "not"; readonly child: Expression }
  | Predicate;

/**
 * A condition on one column. `term` is its name, of a field within structs the names joined by dots (`address.city`).
 *
 * A literal has the form that `Value` says for the column's type: bigint for long, times and timestamps (µs or ns since 1970) and for
 * decimals (the unscaled value); int and long take bigints and whole numbers. Dates, times, timestamps, decimals, uuid, fixed and binary
 * may be texts as well, in their JSON single-value form (spec, appendix D): `"2017-11-16"`, `"14.20"`.
 */
export type Predicate =
  | { readonly type: UnaryOperation; readonly term: string }
  | { readonly type: LiteralOperation; readonly term: string; readonly value: Value }
  | { readonly type: SetOperation; readonly term: string; readonly values: readonly Value[] };

export type UnaryOperation = "is-null" | "not-null" | "is-nan" | "not-nan";
export type LiteralOperation =
  | "lt"
  | "lt-eq"
  | "gt"
  | "gt-eq"
  | "eq"
  | "not-eq"
  /** Of strings. */
  | "starts-with"
  | "not-starts-with";
export type SetOperation = "in" | "not-in";
export type Operation = UnaryOperation | LiteralOperation | SetOperation;

/** All of the conditions; true when there are none. */
export function and(...expressions: readonly Expression[]): Expression {
  return joined("and", expressions);
}

/** Any of the conditions; false when there are none. For many values of one column use `in`. */
export function or(...expressions: readonly Expression[]): Expression {
  return joined("or", expressions);
}

/** Halves upon halves: a list of thousands stays far from the greatest depth. */
function joined(type: "and" | "or", expressions: readonly Expression[]): Expression {
  const [first] = expressions;
  if (first === undefined) return { type: type === "and" ? "true" : "false" };
  if (expressions.length === 1) return first;
  const middle = expressions.length >> 1;
  return {
    type,
    left: joined(type, expressions.slice(0, middle)),
    right: joined(type, expressions.slice(middle)),
  };
}
