import type { Value } from "../manifest/data-file.ts";
import type { PrimitiveType } from "../schema/types.ts";
import { civilDate } from "./civil-date.ts";
import { hexOf } from "./hex.ts";

const MICROS_PER_SECOND = 1_000_000n;
const BASE64_BYTES = 8192;

/** A value as people read it. */
export function valueText(type: PrimitiveType, value: Value): string {
  switch (type.kind) {
    case "date":
      return dateText(value as number);
    case "time":
      return timeText(value as bigint, 6);
    case "timestamp":
      return timestampText(value as bigint, MICROS_PER_SECOND, 6);
    case "timestamptz":
      return `${timestampText(value as bigint, MICROS_PER_SECOND, 6)}+00:00`;
    case "timestamp_ns":
      return timestampText(value as bigint, MICROS_PER_SECOND * 1000n, 9);
    case "timestamptz_ns":
      return `${timestampText(value as bigint, MICROS_PER_SECOND * 1000n, 9)}+00:00`;
    case "decimal":
      return decimalText(value as bigint, type.scale);
    case "uuid": {
      const hex = hexOf(value as Uint8Array);
      return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
    }
    case "fixed":
    case "binary":
    case "geometry":
    case "geography":
      return base64(value as Uint8Array);
    default:
      return Object.is(value, -0) ? "-0.0" : String(value);
  }
}

/** Piece by piece: a call takes some ten thousand arguments at most. */
function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += BASE64_BYTES) {
    text += String.fromCharCode(...bytes.subarray(at, at + BASE64_BYTES));
  }
  return btoa(text);
}

/** `-1234` at scale 2 is `-12.34`. */
export function decimalText(unscaled: bigint, scale: number): string {
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  return `${unscaled < 0n ? "-" : ""}${whole}${scale === 0 ? "" : `.${digits.slice(-scale)}`}`;
}

function timestampText(value: bigint, perSecond: bigint, digits: number): string {
  const perDay = 86_400n * perSecond;
  const ofDay = ((value % perDay) + perDay) % perDay;
  return `${dateText(Number((value - ofDay) / perDay))}T${timeText(ofDay, digits)}`;
}

/** Seconds always, fractions only where there are some. */
function timeText(ofDay: bigint, digits: number): string {
  const perSecond = 10n ** BigInt(digits);
  const seconds = Number(ofDay / perSecond);
  const fraction = String(ofDay % perSecond)
    .padStart(digits, "0")
    .replace(/0+$/, "");
  const clock = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].map(two).join(":");
  return fraction === "" ? clock : `${clock}.${fraction}`;
}

function dateText(days: number): string {
  const { year, month, day } = civilDate(days);
  return `${yearText(year)}-${two(month)}-${two(day)}`;
}

function yearText(year: number): string {
  return `${year < 0 ? "-" : ""}${String(Math.abs(year)).padStart(4, "0")}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
