import { appendValue } from "../arrow/append-value.ts";
import { createBuilder, nullColumn } from "../arrow/builder.ts";
import type { Column } from "../arrow/column.ts";
import { FrazilError } from "../errors.ts";
import type { Value } from "../manifest/data-file.ts";
import type { PrimitiveType } from "../schema/types.ts";
import { bytesOfHex } from "../values/hex.ts";

const DATE = /^([+-]?\d{4,})-(\d\d)-(\d\d)$/;
const TIME = /^(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?$/;
const INSTANT = /^([^T]+)T([^Z+]+?)(?:Z|\+00:00)?$/;

/**
 * A column whose rows all hold a field's default, given in its JSON single-value form (spec, appendix D); null is all nulls.
 *
 * @throws FrazilError `corrupt` when the JSON is no value of the type.
 */
export function defaultColumn(type: PrimitiveType, json: unknown, length: number): Column {
  if (json === null || json === undefined) return nullColumn(type, length);
  const builder = createBuilder(type);
  const append = appenderOf(type, json, builder);
  for (let row = 0; row < length; row++) append();
  return builder.finish();
}

/** A column whose rows all hold one value in the form that `encodeValue` takes, or null. */
export function constantColumn(type: PrimitiveType, value: Value | null, length: number): Column {
  if (value === null) return nullColumn(type, length);
  const builder = createBuilder(type);
  for (let row = 0; row < length; row++) appendValue(builder, type, value);
  return builder.finish();
}

function appenderOf(type: PrimitiveType, json: unknown, builder: ReturnType<typeof createBuilder>): () => void {
  switch (type.kind) {
    case "boolean":
      if (typeof json === "boolean") return () => builder.appendBool(json);
      break;
    case "int":
    case "long":
      if (isInteger(json)) {
        const value = BigInt(json);
        return type.kind === "int" ? () => builder.appendI32(Number(value)) : () => builder.appendI64(value);
      }
      break;
    case "float":
    case "double":
      if (typeof json === "number" || typeof json === "bigint") return () => builder.appendF64(Number(json));
      break;
    case "string":
      if (typeof json === "string") return () => builder.appendString(json);
      break;
    case "uuid":
    case "fixed":
    case "binary": {
      const hex = typeof json === "string" ? (type.kind === "uuid" ? json.replaceAll("-", "") : json) : null;
      if (hex !== null && /^(?:[0-9a-fA-F]{2})*$/.test(hex)) {
        const bytes = bytesOfHex(hex);
        return () => builder.appendBytes(bytes, 0, bytes.length);
      }
      break;
    }
    case "unknown":
    case "geometry":
    case "geography":
      break;
    default: {
      const value = typeof json === "string" ? numberOfText(type, json) : null;
      if (value === null) break;
      return () => appendValue(builder, type, value);
    }
  }
  throw new FrazilError("corrupt", "BAD_DEFAULT", `expected a default of type ${type.kind}, found ${String(json)}`);
}

function isInteger(json: unknown): json is number | bigint {
  return typeof json === "bigint" || Number.isSafeInteger(json);
}

/** Days, µs, ns or the unscaled value of a text in the JSON single-value form (spec, appendix D); null when it has another form. */
export function numberOfText(type: PrimitiveType, text: string): bigint | null {
  switch (type.kind) {
    case "decimal":
      return unscaledOf(text, type.scale);
    case "date":
      return daysOf(text);
    case "time":
      return timeOf(text, 6);
    case "timestamp":
    case "timestamptz":
      return instantOf(text, 6);
    case "timestamp_ns":
    case "timestamptz_ns":
      return instantOf(text, 9);
    default:
      return null;
  }
}

function unscaledOf(text: string, scale: number): bigint | null {
  const match = /^([+-]?)(\d+)(?:\.(\d+))?$/.exec(text);
  const fraction = match?.[3] ?? "";
  if (match === null || fraction.length > scale) return null;
  const digits = BigInt(`${match[2]}${fraction.padEnd(scale, "0")}`);
  return match[1] === "-" ? -digits : digits;
}

function daysOf(text: string): bigint | null {
  const match = DATE.exec(text);
  if (match === null) return null;
  const date = new Date(0);
  date.setUTCFullYear(Number(match[1]), Number(match[2]) - 1, Number(match[3]));
  return BigInt(date.getTime() / 86_400_000);
}

/** Units of 10^-`digits` seconds since midnight. */
function timeOf(text: string, digits: number): bigint | null {
  const match = TIME.exec(text);
  if (match === null) return null;
  const seconds = Number(match[1]) * 3600 + Number(match[2]) * 60 + Number(match[3]);
  const fraction = (match[4] ?? "").padEnd(digits, "0").slice(0, digits);
  return BigInt(seconds) * 10n ** BigInt(digits) + BigInt(fraction);
}

function instantOf(text: string, digits: number): bigint | null {
  const match = INSTANT.exec(text);
  const days = daysOf(match?.[1] ?? "");
  const time = timeOf(match?.[2] ?? "", digits);
  return days === null || time === null ? null : days * 86_400n * 10n ** BigInt(digits) + time;
}
