import { FrazilError } from "../errors.ts";
import type { Value } from "../manifest/data-file.ts";
import { typeText } from "../schema/type-json.ts";
import type { PrimitiveType } from "../schema/types.ts";

/** Whether a value given by a caller is one of a type, in the form of `Value`: of the right JavaScript type and within its range. */
export type ValueCheck = (value: unknown) => value is Value;

export function valueCheck(type: PrimitiveType): ValueCheck {
  const isOf = rangeCheck(type);
  return (value): value is Value => isOf(value);
}

function rangeCheck(type: PrimitiveType): (value: unknown) => boolean {
  switch (type.kind) {
    case "boolean":
      return (value) => typeof value === "boolean";
    case "int":
    case "date":
      return (value) => typeof value === "number" && (value | 0) === value;
    case "long":
    case "time":
    case "timestamp":
    case "timestamptz":
    case "timestamp_ns":
    case "timestamptz_ns":
      return (value) => typeof value === "bigint" && BigInt.asIntN(64, value) === value;
    case "float":
    case "double":
      return (value) => typeof value === "number";
    case "decimal": {
      const end = 10n ** BigInt(type.precision);
      return (value) => typeof value === "bigint" && value < end && -value < end;
    }
    case "string":
      return (value) => typeof value === "string";
    case "binary":
    case "geometry":
    case "geography":
      return (value) => value instanceof Uint8Array;
    case "uuid":
      return (value) => value instanceof Uint8Array && value.length === 16;
    case "fixed":
      return (value) => value instanceof Uint8Array && value.length === type.length;
    case "unknown":
      return () => false;
  }
}

/** The refusal of a value; `column` is its path of names. */
export function wrongValue(column: string, expected: string, value: unknown): FrazilError {
  const found =
    typeof value === "string" ? JSON.stringify(value) : Array.isArray(value) ? "an array" : foundText(value);
  return new FrazilError("data", "WRONG_VALUE", `column ${column}: expected ${expected}, found ${found}`);
}

/** The refusal of a value that is not of a primitive type. */
export function notOfType(column: string, type: PrimitiveType, value: unknown): FrazilError {
  return wrongValue(column, `${formOf(type)} for ${typeText(type)}`, value);
}

/** How a caller gives values of a type. */
function formOf(type: PrimitiveType): string {
  switch (type.kind) {
    case "boolean":
      return "a boolean";
    case "int":
    case "date":
      return "a number of 32 bits without fraction";
    case "float":
    case "double":
      return "a number";
    case "decimal":
      return `an unscaled bigint of at most ${type.precision} digits`;
    case "string":
      return "a string";
    case "uuid":
      return "a Uint8Array of 16 bytes";
    case "fixed":
      return `a Uint8Array of ${type.length} bytes`;
    case "binary":
      return "a Uint8Array";
    case "geometry":
    case "geography":
      return "a Uint8Array of well-known binary";
    case "unknown":
      return "null";
    default:
      return "a bigint of 64 bits";
  }
}

function foundText(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
