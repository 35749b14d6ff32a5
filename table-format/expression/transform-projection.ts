import type { Value } from "../manifest/data-file.ts";
import { applyTransform, type Transform } from "../partition/transform.ts";
import type { PrimitiveType } from "../schema/types.ts";
import { type BoundPredicate, type BoundReference, setPredicate } from "./bound.ts";
import type { LiteralOperation } from "./expression.ts";

/** A partition field; its type is that of the partition values. */
export interface PartitionReference extends BoundReference {
  readonly type: PrimitiveType;
}

/**
 * A predicate on partition values that is true wherever one on the column is true (`inclusive`), or only where all rows of the partition
 * make that one true (`strict`). Null: the transform says nothing.
 */
export type Projection = "inclusive" | "strict";

/** Projects a predicate on a column through a transform of it (spec, "Scan Planning"; "Partition Transforms"). */
export function projectPredicate(
  predicate: BoundPredicate,
  transform: Transform,
  ref: PartitionReference,
  projection: Projection,
): BoundPredicate | null {
  if (transform.kind === "void" || transform.kind === "other") return null;
  // Each transform gives null for null, and for nothing else; NaN has only the identity.
  if (predicate.kind === "unary") return { ...predicate, ref };
  if (transform.kind === "identity") return onto(ref, predicate.operation, literalsOf(predicate));
  const apply = (value: Value): Value => applyTransform(transform, predicate.type, value) as Value;
  if (transform.kind === "bucket") return projectEquality(predicate, apply, ref, projection);
  if (transform.kind === "truncate" && (predicate.type.kind === "string" || predicate.type.kind === "binary")) {
    return projectPrefix(predicate, transform.width, apply, ref, projection);
  }
  const projected = projectOrder(predicate, apply, ref, projection);
  const isExact = transform.kind === "truncate" || (transform.kind === "day" && predicate.type.kind === "date");
  return isExact || projected === null ? projected : withLegacyTimes(projected, ref, projection);
}

type ValuePredicate = Exclude<BoundPredicate, { readonly kind: "unary" }>;

function literalsOf(predicate: ValuePredicate): readonly Value[] {
  return predicate.kind === "set" ? predicate.set.values : [predicate.value];
}

/** The predicate on partition values. Those of a column that was widened since have its new form. */
function onto(
  ref: PartitionReference,
  operation: LiteralOperation | "in" | "not-in",
  literals: readonly Value[],
): BoundPredicate {
  const values = literals.map((value) => inFormOf(ref.type, value));
  if (operation === "in" || operation === "not-in") return setPredicate(operation, ref, ref.type, values);
  return { kind: "literal", operation, ref, type: ref.type, value: values[0] as Value };
}

function inFormOf(type: PrimitiveType, value: Value): Value {
  return type.kind === "long" && typeof value === "number" ? BigInt(value) : value;
}

/** Equal values have equal results, and that is all. */
function projectEquality(
  predicate: ValuePredicate,
  apply: (value: Value) => Value,
  ref: PartitionReference,
  projection: Projection,
): BoundPredicate | null {
  const { operation } = predicate;
  const isEquality = operation === "eq" || operation === "in";
  const isInequality = operation === "not-eq" || operation === "not-in";
  if (projection === "inclusive" ? !isEquality : !isInequality) return null;
  return onto(ref, operation, literalsOf(predicate).map(apply));
}

/** A transform that keeps order, of a type whose values have neighbours: a value below 10 is at most 9. */
function projectOrder(
  predicate: ValuePredicate,
  apply: (value: Value) => Value,
  ref: PartitionReference,
  projection: Projection,
): BoundPredicate | null {
  if (predicate.kind === "set") return projectEquality(predicate, apply, ref, projection);
  const { operation, value } = predicate;
  const at = (step: -1 | 0 | 1): Value[] => [apply(neighbour(value, step))];
  const isInclusive = projection === "inclusive";
  switch (operation) {
    case "lt":
      return isInclusive ? onto(ref, "lt-eq", at(-1)) : onto(ref, "lt", at(0));
    case "lt-eq":
      return isInclusive ? onto(ref, "lt-eq", at(0)) : onto(ref, "lt", at(1));
    case "gt":
      return isInclusive ? onto(ref, "gt-eq", at(1)) : onto(ref, "gt", at(0));
    case "gt-eq":
      return isInclusive ? onto(ref, "gt-eq", at(0)) : onto(ref, "gt", at(-1));
    default:
      return projectEquality(predicate, apply, ref, projection);
  }
}

function neighbour(value: Value, step: -1 | 0 | 1): Value {
  return typeof value === "bigint" ? value + BigInt(step) : (value as number) + step;
}

/** The first characters or bytes: keeps order, too, but there is no greatest value below another. */
function projectPrefix(
  predicate: ValuePredicate,
  width: number,
  apply: (value: Value) => Value,
  ref: PartitionReference,
  projection: Projection,
): BoundPredicate | null {
  if (predicate.kind === "set") return projectEquality(predicate, apply, ref, projection);
  const { operation, value } = predicate;
  const isInclusive = projection === "inclusive";
  switch (operation) {
    case "lt":
    case "lt-eq":
      return onto(ref, isInclusive ? "lt-eq" : "lt", [apply(value)]);
    case "gt":
    case "gt-eq":
      return onto(ref, isInclusive ? "gt-eq" : "gt", [apply(value)]);
    case "starts-with":
    case "not-starts-with": {
      const points = Array.from(value as string).length;
      if (points < width) return onto(ref, operation, [value]);
      // The partition knows no more than the first `width`: where they differ, a longer prefix does, too.
      const isStart = operation === "starts-with";
      if (points > width && isStart !== isInclusive) return null;
      return onto(ref, isStart ? "eq" : "not-eq", [apply(value)]);
    }
    default:
      return projectEquality(predicate, apply, ref, projection);
  }
}

/**
 * Java up to 0.10.0 wrote year, month, day and hour of times before 1970 one too high (apache/iceberg#1981): where a result is below 0,
 * the next one may be stored.
 */
function withLegacyTimes(projected: BoundPredicate, ref: PartitionReference, projection: Projection): BoundPredicate {
  if (projected.kind === "unary") return projected;
  const { operation } = projected;
  const results = literalsOf(projected) as readonly number[];
  if (results.every((result) => result >= 0)) return projected;
  switch (operation) {
    case "eq":
    case "in":
    case "not-eq":
    case "not-in": {
      const both = results.flatMap((result) => (result < 0 ? [result, result + 1] : [result]));
      return onto(ref, operation === "eq" || operation === "in" ? "in" : "not-in", both);
    }
    case "lt-eq":
      return projection === "inclusive" ? onto(ref, operation, results.map(next)) : projected;
    case "gt":
      return projection === "strict" ? onto(ref, operation, results.map(next)) : projected;
    default:
      return projected;
  }
}

function next(result: number): number {
  return result + 1;
}
