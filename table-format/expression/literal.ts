import { FrazilError } from "../errors.ts";
import type { Value } from "../manifest/data-file.ts";
import { numberOfText } from "../parquet/default-value.ts";
import { typeText } from "../schema/type-json.ts";
import type { PrimitiveType } from "../schema/types.ts";
import { bytesOfHex, hexOf } from "../values/hex.ts";

/** A literal in its column's type, or on which side of all the column's values it lies. */
export type Literal = { readonly value: Value } | "below" | "above";

/**
 * Converts a literal to a column's type without losing anything: integers never pass through a double.
 * @param column for messages
 * @throws FrazilError kind `config` when it is no value of the type
 */
export function literalOf(column: string, type: PrimitiveType, given: Value): Literal {
  const found = convert(type, given);
  if (found !== null) return found;
  const text = given instanceof Uint8Array ? `bytes ${hexOf(given)}` : shown(given);
  throw new FrazilError(
    "config",
    "FILTER_LITERAL",
    `filter on column ${column}: expected a value of type ${typeText(type)}, found ${text}`,
    { hint: Number.isNaN(given) ? "use is-nan or not-nan" : HINTS[type.kind] },
  );
}

const HINTS: Partial<Record<PrimitiveType["kind"], string>> = {
  long: "give a bigint",
  decimal: 'give the unscaled bigint, or a text such as "14.20" with no more digits after the point than the column',
  date: 'give days since 1970-01-01, or a text such as "2017-11-16"',
  time: 'give microseconds as bigint, or a text such as "22:31:08.123456"',
  timestamp: 'give microseconds since 1970 as bigint, or a text such as "2017-11-16T22:31:08.123456"',
  timestamptz: 'give microseconds since 1970 as bigint, or a text such as "2017-11-16T22:31:08.123456+00:00"',
  timestamp_ns: 'give nanoseconds since 1970 as bigint, or a text such as "2017-11-16T22:31:08.123456789"',
  timestamptz_ns: 'give nanoseconds since 1970 as bigint, or a text such as "2017-11-16T22:31:08.123456789+00:00"',
};

function shown(value: Exclude<Value, Uint8Array> | null | undefined): string {
  if (value === null || value === undefined) return `${value} (is-null and not-null ask for null)`;
  return typeof value === "string" ? JSON.stringify(value) : `${typeof value} ${value}`;
}

function convert(type: PrimitiveType, given: Value): Literal | null {
  switch (type.kind) {
    case "boolean":
      return typeof given === "boolean" ? { value: given } : null;
    case "int":
      return integer(given, 32, true);
    case "date":
      return integer(typeof given === "string" ? numberOfText(type, given) : given, 32, true);
    case "long":
      return integer(given, 64, false);
    case "time":
    case "timestamp":
    case "timestamptz":
    case "timestamp_ns":
    case "timestamptz_ns":
      return integer(typeof given === "string" ? numberOfText(type, given) : given, 64, false);
    case "decimal": {
      const unscaled = typeof given === "string" ? numberOfText(type, given) : given;
      return typeof unscaled === "bigint" ? { value: unscaled } : null;
    }
    case "float":
    case "double":
      return real(given, type.kind === "float");
    case "string":
      return typeof given === "string" && given.isWellFormed() ? { value: given } : null;
    case "uuid":
      return bytes(typeof given === "string" ? given.replaceAll("-", "") : given, 16);
    case "fixed":
      return bytes(given, type.length);
    case "binary":
      return bytes(given, null);
    case "unknown":
    case "geometry":
    case "geography":
      return null;
  }
}

function integer(given: Value | null, bits: 32 | 64, isNumber: boolean): Literal | null {
  if (typeof given !== "bigint" && !Number.isSafeInteger(given)) return null;
  const value = BigInt(given as bigint | number);
  if (BigInt.asIntN(bits, value) !== value) return value < 0n ? "below" : "above";
  return { value: isNumber ? Number(value) : value };
}

/** A column of floats is compared with the nearest float, as Java does it. */
function real(given: Value, isFloat: boolean): Literal | null {
  if (typeof given === "bigint") return BigInt(Number(given)) === given ? real(Number(given), isFloat) : null;
  if (typeof given !== "number" || Number.isNaN(given)) return null;
  const value = isFloat ? Math.fround(given) : given;
  return Number.isFinite(value) === Number.isFinite(given) ? { value } : null;
}

function bytes(given: Value, length: number | null): Literal | null {
  const isHex = typeof given === "string" && /^(?:[0-9a-fA-F]{2})*$/.test(given);
  const value = isHex ? bytesOfHex(given) : given;
  return value instanceof Uint8Array && (length === null || value.length === length) ? { value } : null;
}
