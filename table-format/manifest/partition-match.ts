import type { PrimitiveType } from "../schema/types.ts";
import { compareValues, decodeValue } from "../values/single-value.ts";
import type { Value } from "./data-file.ts";
import type { FieldSummary, ManifestFile } from "./manifest-file.ts";

/**
 * Whether a manifest may hold files of a partition, by its partition summaries. True when they say nothing.
 * @param types of the partition values of the manifest's spec, null where unknown
 */
export function mayHoldPartition(
  manifest: ManifestFile,
  types: readonly (PrimitiveType | null)[],
  tuple: readonly (Value | null)[],
): boolean {
  const { partitions } = manifest;
  if (partitions === null || partitions.length !== tuple.length) return true;
  return partitions.every((summary, i) => mayHoldValue(summary, types[i] ?? null, tuple[i] ?? null));
}

function mayHoldValue(summary: FieldSummary, type: PrimitiveType | null, value: Value | null): boolean {
  if (value === null) return summary.containsNull;
  if (type === null) return true;
  if (Number.isNaN(value)) return summary.containsNan !== false;
  const { lowerBound, upperBound } = summary;
  // Without bounds all values are null or NaN (spec, "field_summary"); where there are none either, the writer left the bounds out.
  if (lowerBound === null || upperBound === null) return !summary.containsNull && summary.containsNan !== true;
  const [low, high] = [decodeValue(type, lowerBound), decodeValue(type, upperBound)];
  if (isMisordered(type, low, high)) return true;
  return compareValues(type, value, low) >= 0 && compareValues(type, value, high) <= 0;
}

/** Java up to 1.11 compares the halves of a uuid as signed numbers: bounds of both signs then stand the wrong way round, and say nothing. */
export function isMisordered(type: PrimitiveType, lower: Value, upper: Value): boolean {
  return type.kind === "uuid" && compareValues(type, lower, upper) > 0;
}
