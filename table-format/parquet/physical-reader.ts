import type { DecodedArray, SchemaElement } from "hyparquet";
import type { ColumnBuilder } from "../arrow/column-builder.ts";
import { FrazilError } from "../errors.ts";
import type { PrimitiveType } from "../schema/types.ts";

/** Appends value `k` of a page, or of a dictionary, to a builder. */
export type AppendPhysical = (builder: ColumnBuilder, values: DecodedArray, k: number) => void;

const NANOS_OF_UNIT = { MILLIS: 1_000_000n, MICROS: 1_000n, NANOS: 1n } as const;
const NANOS_PER_DAY = 86_400_000_000_000n;

/** The Julian day of 1970-01-01, from which INT96 counts. */
const JULIAN_EPOCH = 2_440_588n;

/**
 * How values of a file's column become values of a table's type: as they are, widened by the table's type promotions, or in another
 * unit of time, as other writers store it (milliseconds, nanoseconds, INT96).
 *
 * @throws FrazilError `corrupt` when the file's type cannot hold values of the table's type.
 */
export function physicalAppender(type: PrimitiveType, element: SchemaElement): AppendPhysical {
  const appender = find(type, element);
  if (appender !== null) return appender;
  const found = [element.type, element.converted_type, element.logical_type?.type].filter(Boolean).join(" ");
  throw new FrazilError(
    "corrupt",
    "WRONG_COLUMN_TYPE",
    `column ${element.name}: expected ${type.kind}, found ${found} in the data file`,
  );
}

function find(type: PrimitiveType, element: SchemaElement): AppendPhysical | null {
  switch (type.kind) {
    case "boolean":
      return element.type === "BOOLEAN" ? (builder, values, k) => builder.appendBool(values[k] as boolean) : null;
    case "int":
    case "date":
      return element.type === "INT32" ? appendInt32 : null;
    case "long":
      return element.type === "INT32" ? appendInt32 : element.type === "INT64" ? appendInt64 : null;
    case "float":
      return element.type === "FLOAT" ? appendFloat : null;
    case "double":
      return element.type === "FLOAT" || element.type === "DOUBLE" ? appendFloat : null;
    case "time":
      return timeAppender(element, "MICROS");
    case "timestamp":
    case "timestamptz":
      return instantAppender(element, "MICROS");
    case "timestamp_ns":
    case "timestamptz_ns":
      return instantAppender(element, "NANOS");
    case "decimal":
      return (element.scale ?? 0) === type.scale ? decimalAppender(element) : null;
    case "string":
    case "geometry":
    case "geography":
      return element.type === "BYTE_ARRAY" ? appendBytes : null;
    case "binary":
      return element.type === "BYTE_ARRAY" || element.type === "FIXED_LEN_BYTE_ARRAY" ? appendBytes : null;
    case "uuid":
      return isFixed(element, 16) ? appendBytes : null;
    case "fixed":
      return isFixed(element, type.length) ? appendBytes : null;
    case "unknown":
      return null;
  }
}

function isFixed(element: SchemaElement, width: number): boolean {
  return element.type === "FIXED_LEN_BYTE_ARRAY" && element.type_length === width;
}

const appendInt32: AppendPhysical = (builder, values, k) => builder.appendI32(values[k] as number);
const appendInt64: AppendPhysical = (builder, values, k) => builder.appendI64(values[k] as bigint);
const appendFloat: AppendPhysical = (builder, values, k) => builder.appendF64(values[k] as number);
const appendBytes: AppendPhysical = (builder, values, k) => {
  const bytes = values[k] as Uint8Array;
  builder.appendBytes(bytes, 0, bytes.length);
};

type Unit = keyof typeof NANOS_OF_UNIT;

/** The unit that a column is annotated with; microseconds when it is not. */
function unitOf(element: SchemaElement): Unit {
  const logical = element.logical_type;
  if (logical?.type === "TIMESTAMP" || logical?.type === "TIME") return logical.unit;
  return element.converted_type === "TIMESTAMP_MILLIS" || element.converted_type === "TIME_MILLIS"
    ? "MILLIS"
    : "MICROS";
}

function timeAppender(element: SchemaElement, target: Unit): AppendPhysical | null {
  if (element.type !== "INT32" && element.type !== "INT64") return null;
  return unitAppender(NANOS_OF_UNIT[unitOf(element)], NANOS_OF_UNIT[target]);
}

function instantAppender(element: SchemaElement, target: Unit): AppendPhysical | null {
  const targetNanos = NANOS_OF_UNIT[target];
  switch (element.type) {
    case "INT64":
      return unitAppender(NANOS_OF_UNIT[unitOf(element)], targetNanos);
    case "INT32":
      // A date that was promoted.
      return element.converted_type === "DATE" || element.logical_type?.type === "DATE"
        ? unitAppender(NANOS_PER_DAY, targetNanos)
        : null;
    case "INT96":
      return (builder, values, k) => {
        const value = values[k] as bigint;
        const nanos = ((value >> 64n) - JULIAN_EPOCH) * NANOS_PER_DAY + BigInt.asUintN(64, value);
        builder.appendI64(inUnit(nanos, 1n, targetNanos));
      };
    default:
      return null;
  }
}

function unitAppender(fromNanos: bigint, toNanos: bigint): AppendPhysical {
  if (fromNanos === toNanos) return appendInt64;
  return (builder, values, k) => builder.appendI64(inUnit(BigInt(values[k] as bigint | number), fromNanos, toNanos));
}

/** Rounded towards the past where the target is coarser. */
function inUnit(value: bigint, fromNanos: bigint, toNanos: bigint): bigint {
  const nanos = value * fromNanos;
  const quotient = nanos / toNanos;
  const floored = nanos < 0n && quotient * toNanos !== nanos ? quotient - 1n : quotient;
  if (BigInt.asIntN(64, floored) !== floored) {
    throw new FrazilError(
      "data",
      "TIME_OUT_OF_RANGE",
      `a time must fit 64 bits in its column's unit, found ${floored}`,
    );
  }
  return floored;
}

function decimalAppender(element: SchemaElement): AppendPhysical | null {
  switch (element.type) {
    case "INT32":
      return appendInt32;
    case "INT64":
      return appendInt64;
    case "FIXED_LEN_BYTE_ARRAY":
    case "BYTE_ARRAY":
      return bigEndianAppender();
    default:
      return null;
  }
}

function bigEndianAppender(): AppendPhysical {
  const scratch = new Uint8Array(16);
  const view = new DataView(scratch.buffer);
  return (builder, values, k) => {
    const bytes = values[k] as Uint8Array;
    // Files may pad: bytes beyond sixteen only repeat the sign of a decimal of 38 digits.
    const taken = bytes.length > 16 ? bytes.subarray(bytes.length - 16) : bytes;
    scratch.fill(((taken[0] ?? 0) & 0x80) === 0 ? 0 : 0xff, 0, 16 - taken.length);
    scratch.set(taken, 16 - taken.length);
    builder.appendDecimal128(view.getBigInt64(8), view.getBigInt64(0));
  };
}
