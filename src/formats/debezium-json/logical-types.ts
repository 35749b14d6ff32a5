import type { PrimitiveType } from "../../../table-format/index.ts";
import { NS_PER_DAY, PLAIN, type Wire } from "../json-columns/wire.ts";
import type { ConnectSchema } from "./connect-schema.ts";

const BYTES: Wire = { kind: "bytes" };

/** The Iceberg type that one expects for a declared type, or the name of a type that is refused. */
export type DeclaredType =
  | { readonly type: PrimitiveType; readonly wire: Wire }
  | { readonly refused: string; readonly wire: Wire };

const UNITS: Record<string, readonly ["instant" | "time-of-day", number, PrimitiveType]> = {
  "io.debezium.time.Date": ["instant", NS_PER_DAY, { kind: "date" }],
  "org.apache.kafka.connect.data.Date": ["instant", NS_PER_DAY, { kind: "date" }],
  "io.debezium.time.Time": ["time-of-day", 1_000_000, { kind: "time" }],
  "org.apache.kafka.connect.data.Time": ["time-of-day", 1_000_000, { kind: "time" }],
  "io.debezium.time.MicroTime": ["time-of-day", 1000, { kind: "time" }],
  "io.debezium.time.NanoTime": ["time-of-day", 1, { kind: "time" }],
  "io.debezium.time.Timestamp": ["instant", 1_000_000, { kind: "timestamp" }],
  "org.apache.kafka.connect.data.Timestamp": ["instant", 1_000_000, { kind: "timestamp" }],
  "io.debezium.time.MicroTimestamp": ["instant", 1000, { kind: "timestamp" }],
  "io.debezium.time.NanoTimestamp": ["instant", 1, { kind: "timestamp_ns" }],
};

/**
 * Texts with a meaning. The "Z" that Debezium's Iso types carry is decoration on columns without a time zone; `ZonedTime` has no
 * Iceberg type, because a time there has no offset.
 */
const TEXTS: Record<string, PrimitiveType> = {
  "io.debezium.time.ZonedTimestamp": { kind: "timestamptz" },
  "io.debezium.time.IsoDate": { kind: "date" },
  "io.debezium.time.IsoTime": { kind: "time" },
  "io.debezium.time.IsoTimestamp": { kind: "timestamp" },
  "io.debezium.data.Uuid": { kind: "uuid" },
};

const PRIMITIVES: Record<string, PrimitiveType> = {
  boolean: { kind: "boolean" },
  int8: { kind: "int" },
  int16: { kind: "int" },
  int32: { kind: "int" },
  int64: { kind: "long" },
  float: { kind: "float" },
  double: { kind: "double" },
  string: { kind: "string" },
};

const MAX_PRECISION = 38;

/**
 * Type of a column by its Connect schema: Debezium's and Connect's logical types, otherwise the plain one. Numeric logical types that
 * are not listed (Year, MicroDuration, ...) are their numbers, textual ones (Json, Xml, Enum, Interval, ZonedTime, ...) their texts,
 * and unconstrained numerics (VariableScaleDecimal) their exact text, because no decimal type holds every scale.
 */
export function declaredType(schema: ConnectSchema): DeclaredType {
  const name = schema.name ?? "";
  const unit = Object.hasOwn(UNITS, name) ? UNITS[name] : undefined;
  if (unit !== undefined) return { type: unit[2], wire: { kind: unit[0], unitNs: unit[1] } };
  if (name === "org.apache.kafka.connect.data.Decimal") return decimalType(schema);
  if (name === "io.debezium.data.VariableScaleDecimal") {
    return { type: { kind: "string" }, wire: { kind: "variable-decimal" } };
  }
  if (schema.type === "bytes") return { type: { kind: "binary" }, wire: BYTES };
  const text = schema.type === "string" && Object.hasOwn(TEXTS, name) ? TEXTS[name] : undefined;
  if (text !== undefined) return { type: text, wire: PLAIN };
  const plain = Object.hasOwn(PRIMITIVES, schema.type) ? PRIMITIVES[schema.type] : undefined;
  if (plain !== undefined) return { type: plain, wire: PLAIN };
  return { refused: name === "" ? schema.type : `${name} (${schema.type})`, wire: PLAIN };
}

/** Scale and precision are parameters of the schema; without a precision the widest decimal holds the values. */
function decimalType(schema: ConnectSchema): DeclaredType {
  const scale = Number(schema.parameters.get("scale") ?? 0);
  const wire: Wire = { kind: "decimal", scale };
  const declared = schema.parameters.get("connect.decimal.precision");
  // PostgreSQL's numeric(3, 5) and numeric(3, -2) are legal: their digits lie right or left of where Iceberg wants them.
  const precision = declared === undefined ? MAX_PRECISION : Math.max(Number(declared) - Math.min(scale, 0), scale, 1);
  const text = `decimal(${declared ?? "?"}, ${scale})`;
  if (!(precision <= MAX_PRECISION && scale <= precision)) return { refused: text, wire };
  return { type: { kind: "decimal", precision, scale: Math.max(scale, 0) }, wire };
}
