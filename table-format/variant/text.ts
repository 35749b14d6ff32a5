import type { PrimitiveType } from "../schema/types.ts";
import { decimalText, valueText } from "../values/value-text.ts";
import { decodeVariant, type VariantValue } from "./value.ts";
import type { Variant } from "./variant.ts";

const NANOS_PER_MICRO = 1000n;

/**
 * A variant as JSON. Integers and decimals have all their digits, also where a double has not; floats that are no numbers are `"NaN"`,
 * `"Infinity"`, `"-Infinity"`; dates, times and timestamps are ISO 8601, uuids as people write them, binary is base64. Fields stand in
 * the order of their names.
 *
 * @throws FrazilError as `decodeVariant`
 */
export function variantJson(variant: Variant): string {
  return jsonOf(decodeVariant(variant));
}

function jsonOf(value: VariantValue): string {
  switch (value.kind) {
    case "null":
      return "null";
    case "boolean":
    case "int8":
    case "int16":
    case "int32":
    case "int64":
      return String(value.value);
    case "decimal4":
    case "decimal8":
    case "decimal16":
      return decimalText(value.unscaled, value.scale);
    case "float":
      return realJson(shortestFloat(value.value));
    case "double":
      return realJson(value.value);
    case "string":
      return JSON.stringify(value.value);
    case "object":
      return `{${Array.from(value.fields, ([name, part]) => `${JSON.stringify(name)}:${jsonOf(part)}`).join(",")}}`;
    case "array":
      return `[${value.items.map(jsonOf).join(",")}]`;
    default: {
      const type: PrimitiveType = { kind: value.kind };
      return JSON.stringify(valueText(type, value.value));
    }
  }
}

function realJson(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`;
  return Object.is(value, -0) ? "-0.0" : String(value);
}

/** The shortest decimal that is the same 32-bit float: 1.1, not 1.100000023841858. */
function shortestFloat(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return value;
}

/**
 * A text that equal variants share, and no others, however they were encoded: integers and decimals are told by their number, timestamps by
 * their instant, objects by their fields (VariantEncoding, "Encoding types", equivalence classes).
 */
export function variantKey(variant: Variant): string {
  return keyOf(decodeVariant(variant));
}

function keyOf(value: VariantValue): string {
  switch (value.kind) {
    case "null":
      return "0";
    case "boolean":
      return value.value ? "t" : "f";
    case "int8":
    case "int16":
    case "int32":
    case "int64":
      return numberKey(value.value, 0);
    case "decimal4":
    case "decimal8":
    case "decimal16":
      return numberKey(value.unscaled, value.scale);
    case "float":
    case "double":
      return `${value.kind}${Object.is(value.value, -0) ? "-0" : value.value}`;
    case "timestamp":
    case "timestamptz":
      return `${value.kind}${value.value * NANOS_PER_MICRO}`;
    case "timestamp_ns":
    case "timestamptz_ns":
      return `${value.kind.slice(0, -"_ns".length)}${value.value}`;
    case "date":
    case "time":
      return `${value.kind}${value.value}`;
    case "string":
      return textKey(value.value);
    case "binary":
    case "uuid":
      return `${value.kind}${valueText({ kind: "binary" }, value.value)}`;
    case "object": {
      const fields = Array.from(value.fields, ([name, part]) => `${textKey(name)}=${keyOf(part)}`);
      return `{${fields.sort().join("|")}}`;
    }
    case "array":
      return `[${value.items.map(keyOf).join("|")}]`;
  }
}

/** With its length before it, so that what follows is not taken for a part of it. */
function textKey(text: string): string {
  return `s${text.length}:${text}`;
}

function numberKey(unscaled: bigint, scale: number): string {
  let [digits, fraction] = [unscaled, scale];
  for (; fraction > 0 && digits % 10n === 0n; fraction--) digits /= 10n;
  return `i${digits}e${fraction}`;
}
