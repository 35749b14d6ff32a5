import type {
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBGeometryValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  DuckDBUUIDValue,
  DuckDBValue,
} from "@duckdb/node-api";
import { type Data, type DataType, type Field, makeData, type Timestamp, TimeUnit, Type } from "apache-arrow";
import { must } from "../core/errors.ts";
import { jsonCell } from "./cells.ts";

/** Validity and length, which all layouts share. */
interface Validity {
  readonly length: number;
  readonly nullCount: number;
  readonly nullBitmap: Uint8Array;
}

/** A column's values in Arrow's layout, of the type that `arrowField` gave it. */
export function arrowData(type: DataType, values: readonly DuckDBValue[]): Data {
  const validity = validityOf(values);
  // The layouts follow the type id, which the types of makeData cannot follow.
  const make = (parts: object): Data => makeData({ type, ...validity, ...parts } as never);
  switch (type.typeId) {
    case Type.Bool:
      return make({ data: bits(values, (value) => value === true) });
    case Type.Int:
      return make({
        data:
          type.ArrayType === Int32Array ? Int32Array.from(values, (value) => Number(value ?? 0)) : longs(values, same),
      });
    case Type.Float:
      return make({ data: new type.ArrayType(values.map((value) => Number(value ?? 0))) });
    case Type.Decimal:
      return make({ data: decimals(values) });
    case Type.Date:
      return make({ data: Int32Array.from(values, (value) => (value === null ? 0 : (value as DuckDBDateValue).days)) });
    case Type.Time:
      return make({ data: longs(values, (value) => (value as DuckDBTimeValue).micros) });
    case Type.Timestamp: {
      const isNanoseconds = (type as Timestamp).unit === TimeUnit.NANOSECOND;
      return make({
        data: longs(values, (value) =>
          isNanoseconds ? (value as DuckDBTimestampNanosecondsValue).nanos : (value as DuckDBTimestampValue).micros,
        ),
      });
    }
    case Type.Utf8:
      return make(bytes(values, (value) => Buffer.from(typeof value === "string" ? value : jsonCell(value))));
    case Type.Binary:
      return make(bytes(values, (value) => (value as DuckDBBlobValue | DuckDBGeometryValue).bytes));
    case Type.FixedSizeBinary:
      return make({ data: uuids(values) });
    default:
      return make(nested(type, values));
  }
}

/** Lists, structs and maps: their children hold what lies inside. */
function nested(type: DataType, values: readonly DuckDBValue[]): object {
  const fields = must(type.children, "a nested type has children");
  if (type.typeId === Type.Struct) {
    const children = fields.map((field) =>
      arrowData(
        field.type,
        values.map((value) => (value as DuckDBStructValue | null)?.entries[field.name] ?? null),
      ),
    );
    return { children };
  }
  const item = must(fields[0], "a list has an item");
  if (type.typeId === Type.List) {
    const items = values.map((value) => (value as DuckDBListValue | null)?.items ?? []);
    return { valueOffsets: offsets(items.map(({ length }) => length)), child: arrowData(item.type, items.flat()) };
  }
  const entries = values.map((value) => (value as DuckDBMapValue | null)?.entries ?? []);
  const [key, inner] = must(item.type.children, "a map has entries") as [Field, Field];
  const all = entries.flat();
  const children = [
    arrowData(
      key.type,
      all.map((entry) => entry.key),
    ),
    arrowData(
      inner.type,
      all.map((entry) => entry.value),
    ),
  ];
  const child = makeData({ type: item.type, length: all.length, nullCount: 0, children } as never);
  return { valueOffsets: offsets(entries.map(({ length }) => length)), child };
}

function validityOf(values: readonly DuckDBValue[]): Validity {
  const nullBitmap = bits(values, (value) => value !== null);
  const nullCount = values.reduce<number>((count, value) => count + Number(value === null), 0);
  return { length: values.length, nullCount, nullBitmap };
}

/** A bit a value, the lowest first. */
function bits(values: readonly DuckDBValue[], isSet: (value: DuckDBValue) => boolean): Uint8Array {
  const bitmap = new Uint8Array(Math.ceil(values.length / 8));
  for (const [index, value] of values.entries()) {
    if (isSet(value)) bitmap[index >> 3] = (bitmap[index >> 3] as number) | (1 << (index & 7));
  }
  return bitmap;
}

function same(value: DuckDBValue): bigint {
  return value as bigint;
}

function longs(values: readonly DuckDBValue[], longOf: (value: DuckDBValue) => bigint): BigInt64Array {
  return BigInt64Array.from(values, (value) => (value === null ? 0n : longOf(value)));
}

/** 16 bytes each, little-endian two's complement. */
function decimals(values: readonly DuckDBValue[]): Uint32Array {
  const halves = new BigInt64Array(values.length * 2);
  for (const [index, value] of values.entries()) {
    if (value === null) continue;
    const unscaled = (value as DuckDBDecimalValue).value;
    halves[index * 2] = BigInt.asIntN(64, unscaled);
    halves[index * 2 + 1] = unscaled >> 64n;
  }
  return new Uint32Array(halves.buffer);
}

/** 16 bytes each, big-endian as RFC 9562 has them. */
function uuids(values: readonly DuckDBValue[]): Uint8Array {
  const data = new DataView(new ArrayBuffer(values.length * 16));
  for (const [index, value] of values.entries()) {
    if (value === null) continue;
    const number = (value as DuckDBUUIDValue).toUint128();
    data.setBigUint64(index * 16, number >> 64n);
    data.setBigUint64(index * 16 + 8, BigInt.asUintN(64, number));
  }
  return new Uint8Array(data.buffer);
}

function bytes(
  values: readonly DuckDBValue[],
  bytesOf: (value: DuckDBValue) => Uint8Array,
): { valueOffsets: Int32Array; data: Uint8Array } {
  const parts = values.map((value) => (value === null ? new Uint8Array() : bytesOf(value)));
  return { valueOffsets: offsets(parts.map(({ length }) => length)), data: Buffer.concat(parts) };
}

function offsets(lengths: readonly number[]): Int32Array {
  const starts = new Int32Array(lengths.length + 1);
  for (const [index, length] of lengths.entries()) starts[index + 1] = (starts[index] as number) + length;
  return starts;
}
