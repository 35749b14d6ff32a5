import { FrazilError } from "../errors.ts";
import type { Value } from "../manifest/data-file.ts";
import { typeText } from "../schema/type-json.ts";
import type { PrimitiveType } from "../schema/types.ts";
import { civilDate } from "../values/civil-date.ts";
import { encodeUnscaled } from "../values/single-value.ts";
import { murmur3 } from "./murmur3.ts";

/** A partition transform (spec, "Partition Transforms"). `other` is one that this version keeps and never applies. */
export type Transform =
  | { readonly kind: "identity" | "year" | "month" | "day" | "hour" | "void" }
  | { readonly kind: "bucket"; readonly buckets: number }
  | { readonly kind: "truncate"; readonly width: number }
  | { readonly kind: "other"; readonly text: string };

const MICROS_PER_HOUR = 3_600_000_000n;
const MICROS_PER_DAY = 24n * MICROS_PER_HOUR;
const NANOS_PER_MICRO = 1000n;
const utf8 = new TextEncoder();

/** Reads `identity`, `bucket[16]`, `truncate[4]`, `year`, `month`, `day`, `hour`, `void`. */
export function parseTransform(text: string): Transform {
  switch (text) {
    case "identity":
    case "year":
    case "month":
    case "day":
    case "hour":
    case "void":
      return { kind: text };
  }
  const match = /^(bucket|truncate)\[(\d{1,10})\]$/.exec(text);
  const parameter = Number(match?.[2] ?? 0);
  if (match === null || parameter < 1 || parameter > 0x7fffffff) return { kind: "other", text };
  return match[1] === "bucket" ? { kind: "bucket", buckets: parameter } : { kind: "truncate", width: parameter };
}

/**
 * The type of a transform's results.
 * @throws FrazilError kind `config` when the transform does not take the source type, `unsupported` for transforms not known here.
 */
export function transformResultType(transform: Transform, source: PrimitiveType): PrimitiveType {
  if (transform.kind === "other") {
    throw new FrazilError("unsupported", "UNKNOWN_TRANSFORM", `partition transform ${transform.text} is not known`);
  }
  if (!takesSource(transform, source)) {
    const message = `partition transform ${transform.kind} does not take ${typeText(source)}`;
    throw new FrazilError("config", "TRANSFORM_TYPE", message, {
      hint: `${transform.kind} takes ${SOURCES[transform.kind].join(", ")}`,
    });
  }
  switch (transform.kind) {
    case "identity":
    case "truncate":
    case "void":
      return source;
    case "day":
      return { kind: "date" };
    default:
      return { kind: "int" };
  }
}

/** Whether a transform is known here and takes values of the type. */
export function takesSource(transform: Transform, source: PrimitiveType): boolean {
  return transform.kind !== "other" && SOURCES[transform.kind].includes(source.kind);
}

type Kind = PrimitiveType["kind"];
const TIMES: readonly Kind[] = ["timestamp", "timestamptz", "timestamp_ns", "timestamptz_ns"];
const DATES: readonly Kind[] = ["date", ...TIMES];
const BYTES: readonly Kind[] = ["string", "uuid", "fixed", "binary"];
const EXACT: readonly Kind[] = ["int", "long", "decimal", "time", ...DATES, ...BYTES];
const SOURCES: Record<Exclude<Transform["kind"], "other">, readonly Kind[]> = {
  identity: ["boolean", "float", "double", ...EXACT],
  bucket: EXACT,
  truncate: ["int", "long", "decimal", "string", "binary"],
  year: DATES,
  month: DATES,
  day: DATES,
  hour: TIMES,
  void: ["boolean", "float", "double", ...EXACT],
};

/** Applies a transform to a value of the source type (form: see `encodeValue`); null gives null. Types are checked by `transformResultType`. */
export function applyTransform(transform: Transform, type: PrimitiveType, value: Value | null): Value | null {
  if (value === null) return null;
  switch (transform.kind) {
    case "identity":
      return value;
    case "void":
      return null;
    case "bucket":
      return (bucketHash(type, value) & 0x7fffffff) % transform.buckets;
    case "truncate":
      return truncateValue(value, transform.width);
    case "year":
      return civilDate(daysOf(type, value)).year - 1970;
    case "month": {
      const { year, month } = civilDate(daysOf(type, value));
      return (year - 1970) * 12 + month - 1;
    }
    case "day":
      return daysOf(type, value);
    case "hour":
      return Number(floorDivide(microsOf(type, value as bigint), MICROS_PER_HOUR));
    case "other":
      throw new FrazilError("unsupported", "UNKNOWN_TRANSFORM", `partition transform ${transform.text} is not known`);
  }
}

/** The 32-bit hash that `bucket` divides: integer-like values, dates included, hash as 8-byte little-endian long. */
export function bucketHash(type: PrimitiveType, value: Value): number {
  switch (type.kind) {
    case "timestamp_ns":
    case "timestamptz_ns":
      return hashLong(floorDivide(value as bigint, NANOS_PER_MICRO));
    case "decimal":
      return murmur3(encodeUnscaled(value as bigint));
    default:
      if (typeof value === "string") return murmur3(utf8.encode(value));
      return value instanceof Uint8Array ? murmur3(value) : hashLong(BigInt(value));
  }
}

function hashLong(value: bigint): number {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, value, true);
  return murmur3(bytes);
}

function truncateValue(value: Value, width: number): Value {
  if (typeof value === "number") return value - (((value % width) + width) % width);
  if (typeof value === "bigint") return value - floorModulo(value, BigInt(width));
  if (typeof value === "string") return truncateString(value, width);
  return (value as Uint8Array).subarray(0, width);
}

/** The first `width` code points. */
function truncateString(value: string, width: number): string {
  let end = 0;
  for (let points = 0; points < width && end < value.length; points++) {
    end += (value.codePointAt(end) as number) > 0xffff ? 2 : 1;
  }
  return value.slice(0, end);
}

function daysOf(type: PrimitiveType, value: Value): number {
  return type.kind === "date"
    ? (value as number)
    : Number(floorDivide(microsOf(type, value as bigint), MICROS_PER_DAY));
}

function microsOf(type: PrimitiveType, value: bigint): bigint {
  return type.kind === "timestamp_ns" || type.kind === "timestamptz_ns" ? floorDivide(value, NANOS_PER_MICRO) : value;
}

/** Rounds down, also below zero. */
export function floorDivide(value: bigint, by: bigint): bigint {
  return (value - floorModulo(value, by)) / by;
}

function floorModulo(value: bigint, by: bigint): bigint {
  return ((value % by) + by) % by;
}
