import { z } from "zod";
import { FrazilError, parsePrimitiveType, type PrimitiveType } from "../../table-format/index.ts";
import { durationMs, sizeBytes } from "./units.ts";

/** A setting that holds a duration: `10s`. Gives milliseconds, at least `minimumMs`. */
export function duration(minimumMs = 1): z.ZodType<number, string> {
  const given = z.string().meta({ title: "duration", pattern: String.raw`^\d+(\.\d+)?(ms|s|m|h|d)$`, example: "10s" });
  return given.transform((text, context) => {
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
  const given = z.string().meta({
    title: "size",
    pattern: String.raw`^\d+(\.\d+)?(B|kB|KB|MB|GB|KiB|MiB|GiB)$`,
    example: "256MiB",
  });
  return given.transform((text, context) => {
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
  ).meta({ type: "integer", minimum, ...(maximum === Number.MAX_SAFE_INTEGER ? {} : { maximum }) });
}

/** A share of a whole: from 0 to 1. */
export function share(): z.ZodType<number, number | string> {
  return number((value) => value >= 0 && value <= 1, "a number from 0 to 1").meta({
    type: "number",
    minimum: 0,
    maximum: 1,
  });
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
  const setting = z.custom<boolean | "true" | "false">(isGiven, REQUIRED).transform((input, context) => {
    if (input === true || input === "true") return true;
    if (input === false || input === "false") return false;
    context.addIssue({ code: "custom", message: `must be true or false, found ${foundText(input)}` });
    return z.NEVER;
  });
  return setting.meta({ type: "boolean" });
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
  const given = z.string().meta({ title: "Iceberg type", example: "decimal(18,2)" });
  return given.transform((name, context) => {
    try {
      return parsePrimitiveType(name);
    } catch (error) {
      if (!(error instanceof FrazilError)) throw error;
      // `{ total: decimal(18,2) }` is two keys to YAML.
      const hint = /^decimal\(\d+$/.test(name) ? `inside {…} put "${name},…)" in quotes` : error.hint;
      context.addIssue({ code: "custom", message: hint ? `${error.message}; ${hint}` : error.message });
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
