import {
  BIGINT,
  BLOB,
  BOOLEAN,
  DATE,
  DECIMAL,
  DOUBLE,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBStructValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  type DuckDBType,
  DuckDBUUIDValue,
  type DuckDBValue,
  DuckDBVariantValue,
  FLOAT,
  INTEGER,
  SMALLINT,
  SQLNULL,
  TIME,
  TIMESTAMP,
  TIMESTAMP_NS,
  TIMESTAMPTZ,
  TINYINT,
  UUID,
  VARCHAR,
} from "@duckdb/node-api";
import { decodeVariant, floorDivide, type Variant, type VariantValue } from "../../table-format/index.ts";

/** Digits of a decimal that any variant's fits into. */
const MOST_DIGITS = 38;
const NANOS_PER_MICRO = 1000n;

/** A variant as DuckDB gives one: structs are objects, with the types inside that it was written with. */
export function variantValue(variant: Variant): DuckDBVariantValue {
  return wrapped(decodeVariant(variant));
}

/** A uuid of 16 bytes. */
export function uuidValue(bytes: Uint8Array): DuckDBUUIDValue {
  return DuckDBUUIDValue.fromUint128(BigInt(`0x${Buffer.from(bytes).toString("hex")}`));
}

function wrapped(value: VariantValue): DuckDBVariantValue {
  switch (value.kind) {
    case "object": {
      const entries = Array.from(value.fields, ([name, part]) => [name, inner(part)] as const);
      return new DuckDBVariantValue(new DuckDBStructValue(Object.fromEntries(entries)));
    }
    case "array":
      return new DuckDBVariantValue(new DuckDBListValue(value.items.map(inner)));
    default: {
      const { type, value: of } = scalar(value);
      return new DuckDBVariantValue(of, type);
    }
  }
}

/** A null inside is no value, as in DuckDB. */
function inner(value: VariantValue): DuckDBValue {
  return value.kind === "null" ? null : wrapped(value);
}

type Scalar = Exclude<VariantValue, { readonly kind: "object" | "array" }>;

function scalar(value: Scalar): { readonly type: DuckDBType; readonly value: DuckDBValue } {
  switch (value.kind) {
    case "null":
      return { type: SQLNULL, value: null };
    case "boolean":
      return { type: BOOLEAN, value: value.value };
    case "int8":
      return { type: TINYINT, value: Number(value.value) };
    case "int16":
      return { type: SMALLINT, value: Number(value.value) };
    case "int32":
      return { type: INTEGER, value: Number(value.value) };
    case "int64":
      return { type: BIGINT, value: value.value };
    case "float":
      return { type: FLOAT, value: value.value };
    case "double":
      return { type: DOUBLE, value: value.value };
    case "decimal4":
    case "decimal8":
    case "decimal16": {
      const { unscaled, scale } = value;
      return { type: DECIMAL(MOST_DIGITS, scale), value: new DuckDBDecimalValue(unscaled, MOST_DIGITS, scale) };
    }
    case "date":
      return { type: DATE, value: new DuckDBDateValue(value.value) };
    case "time":
      return { type: TIME, value: new DuckDBTimeValue(value.value) };
    case "timestamp":
      return { type: TIMESTAMP, value: new DuckDBTimestampValue(value.value) };
    case "timestamptz":
      return { type: TIMESTAMPTZ, value: new DuckDBTimestampTZValue(value.value) };
    case "timestamp_ns":
      return { type: TIMESTAMP_NS, value: new DuckDBTimestampNanosecondsValue(value.value) };
    case "timestamptz_ns":
      // DuckDB has times with a zone in microseconds only.
      return { type: TIMESTAMPTZ, value: new DuckDBTimestampTZValue(floorDivide(value.value, NANOS_PER_MICRO)) };
    case "string":
      return { type: VARCHAR, value: value.value };
    case "binary":
      return { type: BLOB, value: new DuckDBBlobValue(value.value) };
    case "uuid":
      return { type: UUID, value: uuidValue(value.value) };
  }
}
