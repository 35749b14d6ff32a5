import { z } from "zod";
import { FrazilError, parsePrimitiveType, type PrimitiveType } from "../../table-format/index.ts";

/** Milliseconds by unit of `10s`, `5m`. */
const DURATION_MS = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/** Bytes by unit of `256MiB`, `1GB`. */
const SIZE_BYTES = new Map([
  ["B", 1],
  ["kB", 1e3],
  ["KB", 1e3],
  ["MB", 1e6],
  ["GB", 1e9],
  ["KiB", 2 ** 10],
  ["MiB", 2 ** 20],
  ["GiB", 2 ** 30],
]);

/** Milliseconds of `10s`, `5m`, `1h`, `500ms`, `7d`; null when the text is no duration. */
export function durationMs(text: string): number | null {
  return quantity(text, DURATION_MS);
}

/** Bytes of `256MiB`, `64kB`, `1GB`; null when the text is no size. */
export function sizeBytes(text: string): number | null {
  return quantity(text, SIZE_BYTES);
}

function quantity(text: string, units: ReadonlyMap<string, number>): number | null {
  const match = /^(\d+(?:\.\d+)?)([A-Za-z]+)$/.exec(text);
  const unit = match && units.get(match[2] as string);
  if (!match || !unit) return null;
  const value = Math.round(Number(match[1]) * unit);
  return Number.isSafeInteger(value) ? value : null;
}

/**
 * Milliseconds since 1970 UTC of an RFC 3339 time (`2026-11-20T09:00:00Z`, `2026-11-20 09:00:00.5+01:00`); null when the text is none.
 * Digits beyond the millisecond are cut off.
 */
export function rfc3339Ms(text: string): number | null {
  const match =
    /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(?:([Zz])|([+-])(\d{2}):(\d{2}))$/.exec(
      text,
    );
  if (!match) return null;
  const part = (group: number): number => Number(match[group] ?? 0);
  const milliseconds = Number((match[7] ?? "").slice(0, 3).padEnd(3, "0"));
  const utc = Date.UTC(part(1), part(2) - 1, part(3), part(4), part(5), part(6), milliseconds);
  const date = new Date(utc);
  // Date.UTC carries 31 February over into March: what comes back differs from what was written.
  if (date.getUTCMonth() !== part(2) - 1 || date.getUTCDate() !== part(3)) return null;
  if (part(4) > 23 || part(5) > 59 || part(6) > 59 || part(10) > 23 || part(11) > 59) return null;
  const offsetMs = (part(10) * 60 + part(11)) * 60_000 * (match[9] === "-" ? -1 : 1);
  return utc - offsetMs;
}

/** A setting that holds a duration: `10s`. Gives milliseconds, at least `minimumMs`. */
export function duration(minimumMs = 1): z.ZodType<number, string> {
  return z.string().transform((text, context) => {
    const value = durationMs(text);
    if (value !== null && value >= minimumMs) return value;
    const problem =
      value === null ? "is not a duration; write 10s, 5m or 1h" : `is too short; the least is ${minimumMs}ms`;
    context.addIssue({ code: "custom", message: `"${text}" ${problem}` });
    return z.NEVER;
  });
}

/** A setting that holds a size: `256MiB`. Gives bytes, at least `minimumBytes`. */
export function size(minimumBytes = 1): z.ZodType<number, string> {
  return z.string().transform((text, context) => {
    const value = sizeBytes(text);
    if (value !== null && value >= minimumBytes) return value;
    const problem =
      value === null ? "is not a size; write 64KiB, 256MiB or 1GiB" : `is too small; the least is ${minimumBytes}B`;
    context.addIssue({ code: "custom", message: `"${text}" ${problem}` });
    return z.NEVER;
  });
}

/** A whole number between the bounds. Digits in a string count too: that is what `"${VAR}"` leaves behind. */
export function whole(minimum: number, maximum: number = Number.MAX_SAFE_INTEGER): z.ZodType<number, number | string> {
  return number(
    (value) => Number.isInteger(value) && value >= minimum && value <= maximum,
    maximum === Number.MAX_SAFE_INTEGER
      ? `a whole number from ${minimum}`
      : `a whole number from ${minimum} to ${maximum}`,
  );
}

/** A number between the bounds, fractions included. */
export function fraction(minimum: number, maximum: number): z.ZodType<number, number | string> {
  return number((value) => value >= minimum && value <= maximum, `a number from ${minimum} to ${maximum}`);
}

function number(accepts: (value: number) => boolean, expected: string): z.ZodType<number, number | string> {
  return z.custom<number | string>(isGiven, REQUIRED).transform((input, context) => {
    const digits = typeof input === "string" && /^-?\d+(\.\d+)?$/.test(input);
    const value = digits ? Number(input) : input;
    if (typeof value === "number" && accepts(value)) return value;
    context.addIssue({ code: "custom", message: `must be ${expected}, found ${foundText(input)}` });
    return z.NEVER;
  });
}

/** `true` or `false`, also as the text that `"${VAR}"` leaves behind. */
export function flag(): z.ZodType<boolean, boolean | "true" | "false"> {
  return z.custom<boolean | "true" | "false">(isGiven, REQUIRED).transform((input, context) => {
    if (input === true || input === "true") return true;
    if (input === false || input === "false") return false;
    context.addIssue({ code: "custom", message: `must be true or false, found ${foundText(input)}` });
    return z.NEVER;
  });
}

const REQUIRED = { error: "is required", abort: true };

function isGiven(input: unknown): boolean {
  return input !== undefined;
}

/** A text of at least one character. */
export function text(): z.ZodType<string, string> {
  return z.string().min(1);
}

/** A primitive Iceberg type by its name in the specification: `long`, `decimal(18,2)`, `timestamptz`. */
export function primitiveType(): z.ZodType<PrimitiveType, string> {
  return z.string().transform((name, context) => {
    try {
      return parsePrimitiveType(name);
    } catch (error) {
      if (!(error instanceof FrazilError)) throw error;
      context.addIssue({ code: "custom", message: error.hint ? `${error.message}; ${error.hint}` : error.message });
      return z.NEVER;
    }
  });
}

/** How a value is named in a message: quoted when it is a text. */
export function foundText(input: unknown): string {
  if (typeof input === "string") return `"${input}"`;
  if (input === null || typeof input === "number" || typeof input === "boolean") return String(input);
  if (input === undefined) return "nothing";
  return Array.isArray(input) ? "a list" : "a map";
}
