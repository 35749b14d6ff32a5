import { must } from "../errors.ts";
import type { Value } from "../manifest/data-file.ts";
import type { PrimitiveType } from "../schema/types.ts";
import { civilDate } from "../values/civil-date.ts";
import { valueText } from "../values/value-text.ts";
import type { BoundField } from "./spec.ts";

/**
 * A partition value as Java's `Transform.toHumanString` gives it: years, months, days and hours as dates, times without seconds where they
 * are 0, timestamps in ISO 8601, decimals as `BigDecimal` prints them, floats as Java 19 and up do, bytes in base64.
 */
export function humanText(
  { transform, resultType }: Pick<BoundField, "transform" | "resultType">,
  value: Value,
): string {
  switch (transform.kind) {
    case "year":
      return yearText((value as number) + 1970);
    case "month": {
      const months = value as number;
      return `${yearText(Math.floor(months / 12) + 1970)}-${two((((months % 12) + 12) % 12) + 1)}`;
    }
    case "hour": {
      const hours = value as number;
      return `${dateText(Math.floor(hours / 24))}-${two(((hours % 24) + 24) % 24)}`;
    }
    default:
      return ofType(resultType, value);
  }
}

function ofType(type: PrimitiveType, value: Value): string {
  switch (type.kind) {
    case "date":
      return dateText(value as number);
    case "time":
      return timeText(value as bigint);
    case "timestamp":
    case "timestamptz":
    case "timestamp_ns":
    case "timestamptz_ns":
      return isoText(valueText(type, value));
    case "decimal":
      return decimalText(value as bigint, type.scale);
    case "float":
      return floatText(value as number, Math.fround);
    case "double":
      return floatText(value as number, (number) => number);
    default:
      return valueText(type, value);
  }
}

/** Four digits at least, the sign being one of them: `%04d`. */
function yearText(year: number): string {
  return year < 0 ? `-${String(-year).padStart(3, "0")}` : String(year).padStart(4, "0");
}

function dateText(days: number): string {
  const { year, month, day } = civilDate(days);
  return `${yearText(year)}-${two(month)}-${two(day)}`;
}

/** `LocalTime.toString`: what is 0 at the end is left out, fractions by three digits. */
function timeText(micros: bigint): string {
  const seconds = Number(micros / 1_000_000n);
  const minutes = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}`;
  const fraction = Number(micros % 1_000_000n);
  if (fraction === 0) return seconds % 60 === 0 ? minutes : `${minutes}:${two(seconds % 60)}`;
  const digits = String(fraction).padStart(6, "0");
  return `${minutes}:${two(seconds % 60)}.${digits.endsWith("000") ? digits.slice(0, 3) : digits}`;
}

/** Years beyond 9999 have a sign. */
function isoText(text: string): string {
  return /^\d{5}/.test(text) ? `+${text}` : text;
}

/** `BigDecimal.toString`: with an exponent where more than five zeros would stand behind the point before the first digit. */
function decimalText(unscaled: bigint, scale: number): string {
  const sign = unscaled < 0n ? "-" : "";
  const digits = String(unscaled < 0n ? -unscaled : unscaled);
  const exponent = digits.length - 1 - scale;
  if (exponent < -6) return `${sign}${scientific(digits, exponent, false)}`;
  const padded = digits.padStart(scale + 1, "0");
  const whole = padded.slice(0, padded.length - scale);
  return `${sign}${whole}${scale === 0 ? "" : `.${padded.slice(-scale)}`}`;
}

/**
 * `Double.toString` and `Float.toString`: the shortest digits that are read as the same number, of two digits at least the nearest ones;
 * with an exponent below 10^-3 and from 10^7 on.
 * @param rounded to the number that the type has
 */
function floatText(value: number, rounded: (number: number) => number): string {
  if (Number.isNaN(value)) return "NaN";
  const size = Math.abs(value);
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  if (size === Infinity) return `${sign}Infinity`;
  if (size === 0) return `${sign}0.0`;
  const { digits, exponent } = shortest(size, rounded);
  if (exponent < -3 || exponent >= 7) return `${sign}${scientific(digits, exponent, true)}`;
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  return `${sign}${whole}.${digits.slice(exponent + 1) || "0"}`;
}

function shortest(size: number, rounded: (number: number) => number): Digits {
  let found: Digits | null = null;
  // 17 digits tell all numbers apart.
  for (let precision = 2; precision <= 17 && found === null; precision++) found = nearest(size, precision, rounded);
  return must(found, `${size} has digits`);
}

/** The number of so many digits that is nearest to a number and rounds to it; null when none does. */
function nearest(size: number, precision: number, rounded: (number: number) => number): Digits | null {
  const exact = size.toExponential(MAX_DIGITS);
  const { digits, exponent } = parts(size.toExponential(precision - 1), precision);
  const last = exponent - precision + 1;
  const near = BigInt(digits);
  // JavaScript takes the greater of two that are equally near, Java the even one.
  const isTie = new RegExp(`^.{${precision + 1}}50*e`).test(exact);
  const chosen = isTie && near % 2n === 1n ? near - 1n : near;
  // At a power of two the nearest may round to the next smaller number, whose neighbours are nearer.
  const candidates = [chosen, near, near + 1n].map((each) => parts(`${each}e${last}`));
  return candidates.find((each) => rounded(numberOf(each)) === size) ?? null;
}

/** The most that `toExponential` gives; a number that lies between two of fewer digits has no more than these. */
const MAX_DIGITS = 100;

interface Digits {
  /** Without zeros at their end. */
  readonly digits: string;
  /** The power of ten of the first. */
  readonly exponent: number;
}

function numberOf({ digits, exponent }: Digits): number {
  return Number(`${digits}e${exponent - digits.length + 1}`);
}

/** @param keep digits that stay, zeros or not */
function parts(text: string, keep = 1): Digits {
  const [mantissa = "", power = "0"] = text.split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  const digits = `${whole}${fraction}`;
  let end = digits.length;
  while (end > keep && digits[end - 1] === "0") end--;
  return { digits: digits.slice(0, end), exponent: Number(power) + whole.length - 1 };
}

/** @param pointed whether a single digit has a point behind it */
function scientific(digits: string, exponent: number, pointed: boolean): string {
  const fraction = digits.slice(1) || (pointed ? "0" : "");
  return `${digits[0]}${fraction === "" ? "" : `.${fraction}`}E${exponent}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
