import type { Value } from "../manifest/data-file.ts";
import type { PartitionSpec } from "../metadata/table-metadata.ts";
import { parseTransform, type Transform } from "../partition/transform.ts";
import type { PrimitiveType } from "../schema/types.ts";
import {
  bothOf,
  type BoundExpression,
  type BoundPredicate,
  type BoundReference,
  eitherOf,
  FALSE,
  mapPredicates,
  TRUE,
} from "./bound.ts";
import { evaluator, type ValueReader } from "./evaluate.ts";
import { type PartitionReference, type Projection, projectPredicate } from "./transform-projection.ts";

/** The values of a file's partition, one a field of its spec. */
export type PartitionTuple = readonly (Value | null)[];

/** A field of a partition spec that can be projected to. */
export interface PartitionColumn {
  /** In the spec's fields. */
  readonly place: number;
  readonly sourceId: number;
  readonly transform: Transform;
  readonly ref: PartitionReference;
}

/** @param types of the partition values, null where nothing is known of them */
export function partitionColumns(spec: PartitionSpec, types: readonly (PrimitiveType | null)[]): PartitionColumn[] {
  return spec.fields.flatMap(({ fieldId, name, sourceId, transform }, place) => {
    const type = types[place] ?? null;
    if (type === null) return [];
    return [{ place, sourceId, transform: parseTransform(transform), ref: { fieldId, name, type, isNested: false } }];
  });
}

/**
 * Projects an expression on rows to one on partitions: an inclusive one is true of every partition that may hold a row of which the
 * expression is true, a strict one only of partitions of whose rows it is true throughout.
 */
export function projectExpression(
  expression: BoundExpression,
  columns: readonly PartitionColumn[],
  projection: Projection,
): BoundExpression {
  return mapPredicates(expression, (predicate) => {
    const projected = columns
      .filter(({ sourceId }) => sourceId === predicate.ref.fieldId)
      .map(({ transform, ref }) => projectPredicate(predicate, transform, ref, projection))
      .filter((each) => each !== null);
    // Each field of the partition must allow it; one that ensures it is enough.
    return projection === "inclusive" ? projected.reduce(bothOf, TRUE) : projected.reduce(eitherOf, FALSE);
  });
}

/**
 * Makes an expression a function of the partition: what is left of it to be tested on the rows. False means that the partition holds no
 * row of which it is true, true that it is true of all.
 */
export function residualEvaluator(
  expression: BoundExpression,
  columns: readonly PartitionColumn[],
): (tuple: PartitionTuple) => BoundExpression {
  const readerOf = partitionReader(columns);
  const decided = new Map<BoundPredicate, (tuple: PartitionTuple) => BoundExpression>();
  const decide = (predicate: BoundPredicate): ((tuple: PartitionTuple) => BoundExpression) => {
    const known = decided.get(predicate);
    if (known !== undefined) return known;
    const holdsForAll = evaluator(projectExpression(predicate, columns, "strict"), readerOf);
    const mayHold = evaluator(projectExpression(predicate, columns, "inclusive"), readerOf);
    const made = (tuple: PartitionTuple): BoundExpression =>
      holdsForAll(tuple) ? TRUE : mayHold(tuple) ? predicate : FALSE;
    decided.set(predicate, made);
    return made;
  };
  return (tuple) => mapPredicates(expression, (predicate) => decide(predicate)(tuple));
}

function partitionReader(columns: readonly PartitionColumn[]): (ref: BoundReference) => ValueReader<PartitionTuple> {
  const places = new Map(columns.map(({ ref, place }) => [ref.fieldId, place]));
  return ({ fieldId }) => {
    const place = places.get(fieldId);
    return (tuple) => (place === undefined ? null : (tuple[place] ?? null));
  };
}
