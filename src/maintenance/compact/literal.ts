import {
  applyTransform,
  defaultColumn,
  FrazilError,
  type PrimitiveType,
  type Transform,
  type Value,
  valueAt,
} from "../../../table-format/index.ts";
import type { Literal } from "./condition.ts";

/**
 * The value that a literal means where results of a transform are compared: years, months and hours are written as partitions show
 * them (`2026`, `2026-11`, `2026-11-20-05`); `now` is put through the transform. Null when it is no value of the type.
 */
export function literalValue(type: PrimitiveType, transform: Transform, literal: Literal, nowMs: number): Value | null {
  if (literal.kind === "now") return nowValue(type, transform, BigInt(nowMs) - BigInt(literal.value));
  if (literal.kind === "text") {
    const counted = periodCount(transform, literal.value);
    if (counted !== null) return counted;
  }
  return parsed(type, literal);
}

const MICROS_PER_MS = 1000n;
const TIMESTAMP: PrimitiveType = { kind: "timestamptz" };

function nowValue(type: PrimitiveType, transform: Transform, ms: bigint): Value | null {
  const micros = ms * MICROS_PER_MS;
  switch (transform.kind) {
    case "year":
    case "month":
    case "day":
    case "hour":
      return applyTransform(transform, TIMESTAMP, micros);
    case "identity":
      break;
    default:
      return null;
  }
  switch (type.kind) {
    case "timestamp":
    case "timestamptz":
      return micros;
    case "timestamp_ns":
    case "timestamptz_ns":
      return micros * 1000n;
    case "date":
      return applyTransform({ kind: "day" }, TIMESTAMP, micros);
    default:
      return null;
  }
}

/** Years, months or hours since 1970 of a text that names one. */
function periodCount({ kind }: Transform, text: string): number | null {
  const match = /^(\d{4})(?:-(\d\d)(?:-(\d\d)-(\d\d))?)?$/.exec(text);
  if (match === null) return null;
  const [, year, month, day, hour] = match;
  if (kind === "year" && month === undefined) return Number(year) - 1970;
  if (kind === "month" && day === undefined && month !== undefined) {
    return (Number(year) - 1970) * 12 + Number(month) - 1;
  }
  if (kind !== "hour" || hour === undefined) return null;
  return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour)) / 3_600_000;
}

function parsed(type: PrimitiveType, { kind, value }: Literal): Value | null {
  const json =
    kind === "boolean" ? value === "true" : kind === "number" ? numberJson(type, value) : isoText(type, value);
  if (json === null) return null;
  try {
    return valueAt(defaultColumn(type, json, 1), 0);
  } catch (error) {
    if (error instanceof FrazilError) return null;
    throw error;
  }
}

/** Integers stay exact; decimals are written as texts. */
function numberJson({ kind }: PrimitiveType, text: string): bigint | number | string | null {
  if (kind === "decimal") return text;
  if (kind === "float" || kind === "double") return Number(text);
  return /^-?\d+$/.test(text) ? BigInt(text) : null;
}

/** A date alone is its midnight; a space does for the T. */
function isoText({ kind }: PrimitiveType, text: string): string {
  if (!kind.startsWith("timestamp")) return text;
  const [, date, time] = /^(\d{4}-\d\d-\d\d)(?:[T ](.+))?$/.exec(text) ?? [];
  if (date === undefined) return text;
  const clock = (time ?? "00:00:00").replace(/^\d\d:\d\d(?=$|Z|\+)/, (found) => `${found}:00`);
  const zoned = kind === "timestamptz" || kind === "timestamptz_ns";
  return `${date}T${zoned && !/(Z|\+00:00)$/.test(clock) ? `${clock}Z` : clock}`;
}
