import type { Value } from "../manifest/data-file.ts";
import {
  type BoundExpression,
  type BoundPredicate,
  type BoundReference,
  isTrueOfNan,
  isTrueOfNull,
  oppositeOf,
} from "./bound.ts";
import { boundOrders, type CompareLiterals } from "./literal-order.ts";

/** What is known of a column's values in some rows: of a file, of a row group, or of the partitions of a manifest. */
export interface ValueRange {
  /** False where it is known that there are none. */
  readonly mayHoldNull: boolean;
  readonly mayHoldNan: boolean;
  /** Values that are neither null nor NaN. */
  readonly mayHoldOthers: boolean;
  /** Of the others; they need not be values that occur. Null: not known. Never NaN. */
  readonly lower: Value | null;
  readonly upper: Value | null;
}

/** Finds the range of a column; null where nothing is known. */
export type RangeOf = (ref: BoundReference) => ValueRange | null;

/**
 * Inclusive evaluation (spec, "Scan Planning"): false only when the expression is true of no row.
 */
export function mayMatch(expression: BoundExpression, rangeOf: RangeOf): boolean {
  return holds(expression, (predicate) => {
    const range = rangeOf(predicate.ref);
    if (range === null) return true;
    const { operation } = predicate;
    return (
      (range.mayHoldNull && isTrueOfNull(operation)) ||
      (range.mayHoldNan && isTrueOfNan(operation)) ||
      (range.mayHoldOthers && othersMayMatch(predicate, range))
    );
  });
}

/** Strict evaluation: true only when the expression is true of every row. */
export function mustMatch(expression: BoundExpression, rangeOf: RangeOf): boolean {
  return holds(expression, (predicate) => {
    const range = rangeOf(predicate.ref);
    if (range === null) return false;
    const { operation } = predicate;
    return (
      (!range.mayHoldNull || isTrueOfNull(operation)) &&
      (!range.mayHoldNan || isTrueOfNan(operation)) &&
      (!range.mayHoldOthers || !othersMayMatch(opposite(predicate), range))
    );
  });
}

/** An expression whose predicates are told one by one. */
function holds(expression: BoundExpression, ofPredicate: (predicate: BoundPredicate) => boolean): boolean {
  switch (expression.kind) {
    case "true":
      return true;
    case "false":
      return false;
    case "and":
      return holds(expression.left, ofPredicate) && holds(expression.right, ofPredicate);
    case "or":
      return holds(expression.left, ofPredicate) || holds(expression.right, ofPredicate);
    default:
      return ofPredicate(expression);
  }
}

/** True of the values, neither null nor NaN, of which the predicate is false. */
function opposite(predicate: BoundPredicate): BoundPredicate {
  // One line for each kind, so that the operation stays one of the kind.
  switch (predicate.kind) {
    case "unary":
      return { ...predicate, operation: oppositeOf(predicate.operation) };
    case "literal":
      return { ...predicate, operation: oppositeOf(predicate.operation) };
    case "set":
      return { ...predicate, operation: oppositeOf(predicate.operation) };
  }
}

function othersMayMatch(predicate: BoundPredicate, { lower, upper }: ValueRange): boolean {
  if (predicate.kind === "unary") return predicate.operation === "not-null" || predicate.operation === "not-nan";
  return boundOrders(predicate.type).some((compare) =>
    predicate.kind === "set"
      ? setMayMatch(predicate, lower, upper, compare)
      : literalMayMatch(predicate, lower, upper, compare),
  );
}

function literalMayMatch(
  { operation, value }: BoundPredicate & { kind: "literal" },
  lower: Value | null,
  upper: Value | null,
  compare: CompareLiterals,
): boolean {
  switch (operation) {
    case "lt":
      return lower === null || compare(lower, value) < 0;
    case "lt-eq":
      return lower === null || compare(lower, value) <= 0;
    case "gt":
      return upper === null || compare(upper, value) > 0;
    case "gt-eq":
      return upper === null || compare(upper, value) >= 0;
    case "eq":
      return (lower === null || compare(lower, value) <= 0) && (upper === null || compare(upper, value) >= 0);
    case "not-eq":
      // Equal bounds leave one value, however they were cut.
      return lower === null || upper === null || compare(lower, value) !== 0 || compare(upper, value) !== 0;
    case "starts-with": {
      const prefix = value as string;
      const start = (bound: Value): string => (bound as string).slice(0, prefix.length);
      return (
        (lower === null || compare(start(lower), prefix) <= 0) && (upper === null || compare(start(upper), prefix) >= 0)
      );
    }
    case "not-starts-with":
      // Whatever lies between two texts with a prefix has it.
      return ![lower, upper].every((bound) => bound !== null && (bound as string).startsWith(value as string));
  }
}

function setMayMatch(
  { operation, set }: BoundPredicate & { kind: "set" },
  lower: Value | null,
  upper: Value | null,
  compare: CompareLiterals,
): boolean {
  if (operation === "not-in") {
    return lower === null || upper === null || compare(lower, upper) !== 0 || !set.has(lower);
  }
  const isWithin = (value: Value): boolean =>
    (lower === null || compare(lower, value) <= 0) && (upper === null || compare(upper, value) >= 0);
  return set.values.some(isWithin);
}
