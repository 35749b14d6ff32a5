import type { Value } from "../manifest/data-file.ts";
import type { Cell } from "../values/cell.ts";
import { type BoundExpression, type BoundPredicate, type BoundReference, isTrueOfNan, isTrueOfNull } from "./bound.ts";
import { literalOrder } from "./literal-order.ts";

/** A column's value of an item: a row, a partition. */
export type ValueReader<T> = (item: T) => Cell | null;

/**
 * Makes an expression a function that says exactly of which items it is true.
 * @param readerOf asked once for each predicate
 */
export function evaluator<T>(
  expression: BoundExpression,
  readerOf: (ref: BoundReference) => ValueReader<T>,
): (item: T) => boolean {
  switch (expression.kind) {
    case "true":
      return () => true;
    case "false":
      return () => false;
    case "and": {
      const [left, right] = [evaluator(expression.left, readerOf), evaluator(expression.right, readerOf)];
      return (item) => left(item) && right(item);
    }
    case "or": {
      const [left, right] = [evaluator(expression.left, readerOf), evaluator(expression.right, readerOf)];
      return (item) => left(item) || right(item);
    }
    default: {
      const read = readerOf(expression.ref);
      const isTrue = predicateTest(expression);
      return (item) => isTrue(read(item));
    }
  }
}

function predicateTest(predicate: BoundPredicate): (value: Cell | null) => boolean {
  const ofNull = isTrueOfNull(predicate.operation);
  const ofNan = isTrueOfNan(predicate.operation);
  const ofOthers = valueTest(predicate);
  return (value) => {
    if (value === null) return ofNull;
    return Number.isNaN(value) ? ofNan : ofOthers(value as Value);
  };
}

/** Of values that are neither null nor NaN. */
function valueTest(predicate: BoundPredicate): (value: Value) => boolean {
  switch (predicate.kind) {
    case "unary": {
      const isTrue = predicate.operation === "not-null" || predicate.operation === "not-nan";
      return () => isTrue;
    }
    case "set": {
      const { set } = predicate;
      return predicate.operation === "in" ? (value) => set.has(value) : (value) => !set.has(value);
    }
    case "literal":
      return comparison(predicate);
  }
}

function comparison({
  operation,
  type,
  value: literal,
}: BoundPredicate & { kind: "literal" }): (value: Value) => boolean {
  const compare = literalOrder(type);
  switch (operation) {
    case "lt":
      return (value) => compare(value, literal) < 0;
    case "lt-eq":
      return (value) => compare(value, literal) <= 0;
    case "gt":
      return (value) => compare(value, literal) > 0;
    case "gt-eq":
      return (value) => compare(value, literal) >= 0;
    case "eq":
      return (value) => compare(value, literal) === 0;
    case "not-eq":
      return (value) => compare(value, literal) !== 0;
    case "starts-with":
      return (value) => (value as string).startsWith(literal as string);
    case "not-starts-with":
      return (value) => !(value as string).startsWith(literal as string);
  }
}
