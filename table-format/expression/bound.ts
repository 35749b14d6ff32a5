import type { Value } from "../manifest/data-file.ts";
import type { PrimitiveType, Type } from "../schema/types.ts";
import type { LiteralOperation, Operation, SetOperation, UnaryOperation } from "./expression.ts";
import { type ValueSet, valueSet } from "./literal-order.ts";

/**
 * An expression whose names are fields and whose literals have the fields' types. It holds no `not`: negation stands in the operations,
 * so that whether it is true of a row follows from which predicates are true, although some may be unknown.
 */
export type BoundExpression =
  | { readonly kind: "true" | "false" }
  | { readonly kind: "and" | "or"; readonly left: BoundExpression; readonly right: BoundExpression }
  | BoundPredicate;

export type BoundPredicate =
  | { readonly kind: "unary"; readonly operation: UnaryOperation; readonly ref: BoundReference }
  | {
      readonly kind: "literal";
      readonly operation: LiteralOperation;
      readonly ref: BoundReference;
      readonly type: PrimitiveType;
      readonly value: Value;
    }
  | {
      readonly kind: "set";
      readonly operation: SetOperation;
      readonly ref: BoundReference;
      readonly type: PrimitiveType;
      readonly set: ValueSet;
    };

/** A column, or a partition field, by its id. */
export interface BoundReference {
  readonly fieldId: number;
  readonly name: string;
  readonly type: Type;
  /** A field of a struct, so that it may be missing where the struct is null. */
  readonly isNested: boolean;
}

export const TRUE: BoundExpression = { kind: "true" };
export const FALSE: BoundExpression = { kind: "false" };

export function bothOf(left: BoundExpression, right: BoundExpression): BoundExpression {
  if (left.kind === "false" || right.kind === "true") return left;
  if (right.kind === "false" || left.kind === "true") return right;
  return { kind: "and", left, right };
}

export function eitherOf(left: BoundExpression, right: BoundExpression): BoundExpression {
  if (left.kind === "true" || right.kind === "false") return left;
  if (right.kind === "true" || left.kind === "false") return right;
  return { kind: "or", left, right };
}

/** A predicate on any of some values, or on none of them. */
export function setPredicate(
  operation: SetOperation,
  ref: BoundReference,
  type: PrimitiveType,
  values: readonly Value[],
): BoundPredicate {
  const [first] = values;
  if (first !== undefined && values.length === 1) {
    return { kind: "literal", operation: operation === "in" ? "eq" : "not-eq", ref, type, value: first };
  }
  return { kind: "set", operation, ref, type, set: valueSet(type, values) };
}

const OPPOSITES: Readonly<Record<Operation, Operation>> = {
  "is-null": "not-null",
  "not-null": "is-null",
  "is-nan": "not-nan",
  "not-nan": "is-nan",
  lt: "gt-eq",
  "gt-eq": "lt",
  "lt-eq": "gt",
  gt: "lt-eq",
  eq: "not-eq",
  "not-eq": "eq",
  in: "not-in",
  "not-in": "in",
  "starts-with": "not-starts-with",
  "not-starts-with": "starts-with",
};

/** The operation that is true of a value, neither null nor NaN, exactly when the other is false. */
export function oppositeOf<T extends Operation>(operation: T): T {
  // Each operation stands with one of its own kind.
  return OPPOSITES[operation] as T;
}

/** Whether an operation is true of null. */
export function isTrueOfNull(operation: Operation): boolean {
  return operation === "is-null" || operation === "not-nan";
}

/** Whether an operation is true of NaN. */
export function isTrueOfNan(operation: Operation): boolean {
  return operation === "is-nan" || operation === "not-null" || operation === "not-eq" || operation === "not-in";
}

/** The predicates of an expression, each as often as it stands there. */
export function* predicatesOf(expression: BoundExpression): Generator<BoundPredicate> {
  switch (expression.kind) {
    case "true":
    case "false":
      return;
    case "and":
    case "or":
      yield* predicatesOf(expression.left);
      yield* predicatesOf(expression.right);
      return;
    default:
      yield expression;
  }
}

/** The expression with each predicate replaced. */
export function mapPredicates(
  expression: BoundExpression,
  replace: (predicate: BoundPredicate) => BoundExpression,
): BoundExpression {
  switch (expression.kind) {
    case "true":
    case "false":
      return expression;
    case "and":
      return bothOf(mapPredicates(expression.left, replace), mapPredicates(expression.right, replace));
    case "or":
      return eitherOf(mapPredicates(expression.left, replace), mapPredicates(expression.right, replace));
    default:
      return replace(expression);
  }
}
