import { FrazilError } from "../errors.ts";
import type { PrimitiveType } from "../schema/types.ts";
import { nullColumn } from "./builder.ts";
import { type Column, isValid } from "./column.ts";

const MICROS_PER_DAY = 86_400_000_000n;
const NANOS_PER_DAY = 86_400_000_000_000n;

/**
 * The column as the wider type that the schema has now (Iceberg spec, "Schema Evolution", type promotion): int to long, float to
 * double, decimals of more digits, date to timestamp, unknown to anything. The column itself when its type is already that.
 *
 * @throws FrazilError `internal` for a pair that is no promotion, `data` when a date lies outside of the timestamp's range.
 */
export function widenColumn(column: Column, type: PrimitiveType): Column {
  const from = column.type;
  if (from.kind === "unknown" && type.kind !== "unknown") return nullColumn(type, column.length);
  if (isSameStorage(from, type)) {
    return from.kind === "decimal" && type.kind === "decimal" && from.precision !== type.precision
      ? { ...column, type }
      : column;
  }
  const { length, nullCount, validity } = column;
  const base = { type, length, nullCount, validity };
  if (from.kind === "int" && type.kind === "long") {
    return { ...base, layout: "i64", values: BigInt64Array.from(column.values as Int32Array, BigInt) };
  }
  if (from.kind === "float" && type.kind === "double") {
    return { ...base, layout: "f64", values: Float64Array.from(column.values as Float32Array) };
  }
  if (from.kind === "date" && (type.kind === "timestamp" || type.kind === "timestamp_ns")) {
    const unit = type.kind === "timestamp" ? MICROS_PER_DAY : NANOS_PER_DAY;
    return { ...base, layout: "i64", values: instantsOfDays(column, unit) };
  }
  throw new FrazilError("internal", "NO_PROMOTION", `a ${from.kind} column cannot be read as ${type.kind}`);
}

function instantsOfDays(column: Column, unitsPerDay: bigint): BigInt64Array {
  const days = column.values as Int32Array;
  const values = new BigInt64Array(column.length);
  for (let row = 0; row < column.length; row++) {
    if (!isValid(column, row)) continue;
    const exact = BigInt(days[row] as number) * unitsPerDay;
    if (BigInt.asIntN(64, exact) !== exact) {
      throw new FrazilError(
        "data",
        "DATE_OUT_OF_RANGE",
        `a date must fit the range of its timestamp, found day ${days[row]}`,
      );
    }
    values[row] = exact;
  }
  return values;
}

/** Whether values of both types are stored alike. */
function isSameStorage(a: PrimitiveType, b: PrimitiveType): boolean {
  if (a.kind === "decimal") return b.kind === "decimal" && a.scale === b.scale && a.precision <= b.precision;
  if (a.kind === "fixed") return b.kind === "fixed" && a.length === b.length;
  return a.kind === b.kind;
}
