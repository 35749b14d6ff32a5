import { FrazilError } from "../errors.ts";
import type { FileStatistics, Value } from "../manifest/data-file.ts";
import type { FieldSummary } from "../manifest/manifest-file.ts";
import { isMisordered } from "../manifest/partition-match.ts";
import { isComparable, isPrimitive } from "../schema/type-json.ts";
import type { PrimitiveType, Type } from "../schema/types.ts";
import { decodeValue } from "../values/single-value.ts";
import type { BoundReference } from "./bound.ts";
import type { RangeOf, ValueRange } from "./value-range.ts";

/**
 * A bound of a column (spec, appendix D, "Binary single-value serialization"). Null when it says nothing: NaN, which older writers put
 * there, and bytes that are no value of the type, as of a text that was cut within a character. A cut `fixed` is what is left of it. Bounds
 * of shapes are corners of a box, with which nothing is compared.
 */
export function decodeBound(type: PrimitiveType, bytes: Uint8Array | undefined | null): Value | null {
  if (bytes === undefined || bytes === null || !isComparable(type)) return null;
  if (type.kind === "fixed") return bytes;
  try {
    const value = decodeValue(type, bytes);
    return Number.isNaN(value) ? null : value;
  } catch (error) {
    if (error instanceof FrazilError) return null;
    throw error;
  }
}

/** What a file's metrics say of its columns (spec, "Data File Fields"): counts and bounds, each of which may be missing. */
export function rangeOfMetrics(file: FileStatistics): RangeOf {
  return ({ fieldId, type, isNested }: BoundReference): ValueRange => {
    const values = file.valueCounts?.get(fieldId);
    const nulls = file.nullValueCounts?.get(fieldId);
    const nans = isReal(type) ? file.nanValueCounts?.get(fieldId) : 0n;
    // Writers may leave rows whose struct is null out of the counts of its fields.
    const isEveryRowCounted = values === undefined ? !isNested : values === file.recordCount;
    const isAllNull = values !== undefined && values === nulls;
    return {
      mayHoldNull: nulls !== 0n || !isEveryRowCounted,
      mayHoldNan: nans !== 0n && !isAllNull,
      mayHoldOthers: values === undefined || nulls === undefined || values !== nulls + (nans ?? 0n),
      ...boundsOf(type, file.lowerBounds?.get(fieldId), file.upperBounds?.get(fieldId)),
    };
  };
}

/** What a manifest list says of a partition field (spec, "Manifest Lists", `field_summary`). */
export function rangeOfSummary(summary: FieldSummary, type: Type): ValueRange {
  const { containsNull, containsNan, lowerBound, upperBound } = summary;
  const hasBounds = lowerBound !== null || upperBound !== null;
  return {
    mayHoldNull: containsNull,
    mayHoldNan: isReal(type) && containsNan !== false,
    // Without bounds all values are null or NaN; where there are none either, the writer left the bounds out.
    mayHoldOthers: hasBounds || (!containsNull && containsNan !== true),
    ...boundsOf(type, lowerBound, upperBound),
  };
}

type BoundBytes = Uint8Array | undefined | null;

function boundsOf(type: Type, low: BoundBytes, high: BoundBytes): Pick<ValueRange, "lower" | "upper"> {
  if (!isPrimitive(type)) return { lower: null, upper: null };
  const [lower, upper] = [decodeBound(type, low), decodeBound(type, high)];
  if (lower !== null && upper !== null && isMisordered(type, lower, upper)) return { lower: null, upper: null };
  return { lower, upper };
}

function isReal(type: Type): boolean {
  return type.kind === "float" || type.kind === "double";
}
