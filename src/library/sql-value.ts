import {
  BIGINT,
  BLOB,
  BOOLEAN,
  DOUBLE,
  DuckDBBlobValue,
  DuckDBTimestampTZValue,
  HUGEINT,
  SQLNULL,
  TIMESTAMPTZ,
  VARCHAR,
} from "@duckdb/node-api";
import { FrazilError } from "../core/errors.ts";
import type { SqlParameter } from "../query/duckdb.ts";

/** What may stand in a query's `${…}`. A decimal is a text: `${"12.50"}::DECIMAL(18,2)`. */
export type SqlValue = string | number | bigint | boolean | Date | Uint8Array | null;

/**
 * A value as a parameter: whole numbers as BIGINT (a large `bigint` as HUGEINT), others as DOUBLE, a `Date` as TIMESTAMPTZ, bytes as
 * BLOB.
 *
 * @param place Which one, from 1, for messages.
 * @throws FrazilError `config`, code `BAD_PARAMETER`.
 */
export function sqlParameter(value: SqlValue, place: number): SqlParameter {
  if (value === null) return { value, type: SQLNULL };
  if (typeof value === "string") return { value, type: VARCHAR };
  if (typeof value === "boolean") return { value, type: BOOLEAN };
  if (typeof value === "number") {
    return Number.isSafeInteger(value) ? { value: BigInt(value), type: BIGINT } : { value, type: DOUBLE };
  }
  if (typeof value === "bigint") {
    if (BigInt.asIntN(64, value) === value) return { value, type: BIGINT };
    if (BigInt.asIntN(128, value) === value) return { value, type: HUGEINT };
    throw badParameter(place, "a bigint of at most 128 bits", String(value));
  }
  if (value instanceof Date) {
    const timeMs = value.getTime();
    if (Number.isNaN(timeMs)) throw badParameter(place, "a valid Date", "Invalid Date");
    return { value: new DuckDBTimestampTZValue(BigInt(timeMs) * 1_000n), type: TIMESTAMPTZ };
  }
  if (value instanceof Uint8Array) return { value: new DuckDBBlobValue(value), type: BLOB };
  throw badParameter(place, "a text, number, bigint, boolean, Date, Uint8Array or null", typeof value);
}

function badParameter(place: number, expected: string, found: string): FrazilError {
  return new FrazilError(
    "config",
    "BAD_PARAMETER",
    `value ${place} of the query: expected ${expected}, found ${found}`,
  );
}
