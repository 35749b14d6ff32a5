import type { PrimitiveType } from "../schema/types.ts";
import { compareValues, encodeValue } from "../values/single-value.ts";
import type { Value } from "./data-file.ts";
import type { FieldSummary } from "./manifest-file.ts";

/**
 * Summarises partition tuples per field for the manifest list. Null and NaN stand in their flags and never in a bound
 * (engines that compare NaN bounds would prune wrongly).
 */
export function summarizePartitions(
  types: readonly PrimitiveType[],
  tuples: readonly (readonly (Value | null)[])[],
): FieldSummary[] {
  return types.map((type, i) => {
    let containsNull = false;
    let containsNan = false;
    let lower: Value | null = null;
    let upper: Value | null = null;
    for (const tuple of tuples) {
      const value = tuple[i] ?? null;
      if (value === null) containsNull = true;
      else if (Number.isNaN(value)) containsNan = true;
      else {
        if (lower === null || compareValues(type, value, lower) < 0) lower = value;
        if (upper === null || compareValues(type, value, upper) > 0) upper = value;
      }
    }
    return {
      containsNull,
      containsNan,
      lowerBound: lower === null ? null : encodeValue(type, lower),
      upperBound: upper === null ? null : encodeValue(type, upper),
    };
  });
}
