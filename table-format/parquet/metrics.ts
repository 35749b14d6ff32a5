import type { Value } from "../manifest/data-file.ts";
import { MAX_FIELD_ID } from "../schema/schema.ts";
import type { PrimitiveType } from "../schema/types.ts";
import { encodeValue } from "../values/single-value.ts";
import type { ColumnStatistics } from "./bounds.ts";
import type { EncodedFile } from "./data-file-writer.ts";
import type { MetricsMode } from "./metrics-modes.ts";

/** What is known of one column of a finished file. */
export interface ColumnMetrics {
  readonly id: number;
  readonly type: PrimitiveType;
  readonly mode: MetricsMode;
  /** Below a list or a map: such values are not one a row, so that readers take sizes alone, as Java writes it. */
  readonly isRepeated: boolean;
  readonly sizeBytes: number;
  readonly statistics: ColumnStatistics;
}

/** The maps of a manifest entry, keyed by field id (spec, "Data File Fields"). */
export function fileMetrics(
  columns: readonly ColumnMetrics[],
): Pick<
  EncodedFile,
  "columnSizes" | "valueCounts" | "nullValueCounts" | "nanValueCounts" | "lowerBounds" | "upperBounds"
> {
  const columnSizes = new Map<number, bigint>();
  const valueCounts = new Map<number, bigint>();
  const nullValueCounts = new Map<number, bigint>();
  const nanValueCounts = new Map<number, bigint>();
  const lowerBounds = new Map<number, Uint8Array>();
  const upperBounds = new Map<number, Uint8Array>();
  for (const { id, type, mode, isRepeated, sizeBytes, statistics } of columns) {
    // A variant has two columns.
    columnSizes.set(id, (columnSizes.get(id) ?? 0n) + BigInt(sizeBytes));
    if (isRepeated || mode === "none") continue;
    valueCounts.set(id, BigInt(statistics.rows));
    nullValueCounts.set(id, BigInt(statistics.nulls));
    if (type.kind === "float" || type.kind === "double") nanValueCounts.set(id, BigInt(statistics.nans));
    if (mode === "counts" || statistics.min === null || statistics.max === null) continue;
    // Reserved ids are columns of position delete files, whose bounds name the data file and so are kept whole.
    const length = id > MAX_FIELD_ID ? Infinity : mode.truncate;
    const lower = lowerBound(type, statistics.min, length);
    const upper = upperBound(type, statistics.max, length);
    if (lower !== null) lowerBounds.set(id, lower);
    if (upper !== null) upperBounds.set(id, upper);
  }
  return { columnSizes, valueCounts, nullValueCounts, nanValueCounts, lowerBounds, upperBounds };
}

/** `min` as a lower bound of at most `length` code points or bytes. Strings are given as UTF-8; null when that is malformed. */
export function lowerBound(type: PrimitiveType, min: Value, length: number): Uint8Array | null {
  if (type.kind === "string") {
    const bytes = min as Uint8Array;
    const kept = bytes.subarray(0, prefixEnd(bytes, length));
    return decoded(kept) === null ? null : kept;
  }
  if (type.kind === "binary" || type.kind === "fixed") return (min as Uint8Array).subarray(0, length);
  return encodeValue(type, min);
}

/** `max` as an upper bound of at most `length` code points or bytes: when cut, the last one is raised. Null when there is none. */
export function upperBound(type: PrimitiveType, max: Value, length: number): Uint8Array | null {
  if (type.kind === "string") return upperString(max as Uint8Array, length);
  if (type.kind === "binary" || type.kind === "fixed") return upperBytes(max as Uint8Array, length);
  return encodeValue(type, max);
}

function upperString(bytes: Uint8Array, length: number): Uint8Array | null {
  const end = prefixEnd(bytes, length);
  const text = decoded(bytes.subarray(0, end));
  if (text === null) return null;
  if (end === bytes.length) return bytes;
  const points = Array.from(text, (character) => character.codePointAt(0) as number);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    // The greatest code point cannot be raised: the one before it is.
    if (last === 0x10ffff) continue;
    const raised = last === 0xd7ff ? 0xe000 : last + 1;
    return new TextEncoder().encode(String.fromCodePoint(...points, raised));
  }
  return null;
}

function upperBytes(bytes: Uint8Array, length: number): Uint8Array | null {
  if (bytes.length <= length) return bytes;
  for (let last = length - 1; last >= 0; last--) {
    const byte = bytes[last] as number;
    if (byte === 0xff) continue;
    const raised = bytes.slice(0, last + 1);
    raised[last] = byte + 1;
    return raised;
  }
  return null;
}

/** Where the first `length` code points of UTF-8 end. */
function prefixEnd(bytes: Uint8Array, length: number): number {
  if (bytes.length <= length) return bytes.length;
  let points = 0;
  for (let at = 0; at < bytes.length; at++) {
    const isContinuation = ((bytes[at] as number) & 0xc0) === 0x80;
    if (!isContinuation && points++ === length) return at;
  }
  return bytes.length;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decoded(bytes: Uint8Array): string | null {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}
