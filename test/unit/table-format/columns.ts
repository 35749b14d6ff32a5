// Columns made of JavaScript values, for tests of anything that takes or gives columns.
import fc from "fast-check";
import { createBuilder } from "../../../table-format/arrow/builder.ts";
import type { Column } from "../../../table-format/arrow/column.ts";
import type { ColumnBuilder } from "../../../table-format/arrow/column-builder.ts";
import type { Value } from "../../../table-format/manifest/data-file.ts";
import type { PlainKind, PrimitiveType } from "../../../table-format/schema/types.ts";
import { valueAt } from "../../../table-format/values/single-value.ts";

const plain = (kind: PlainKind): PrimitiveType => ({ kind });
const decimal = (precision: number, scale: number): PrimitiveType => ({ kind: "decimal", precision, scale });

/** One of each, decimals in each physical form. */
export const ALL_TYPES: readonly PrimitiveType[] = [
  plain("boolean"),
  plain("int"),
  plain("long"),
  plain("float"),
  plain("double"),
  plain("date"),
  plain("time"),
  plain("timestamp"),
  plain("timestamptz"),
  plain("timestamp_ns"),
  plain("timestamptz_ns"),
  plain("string"),
  plain("uuid"),
  plain("binary"),
  decimal(9, 2),
  decimal(18, 0),
  decimal(19, 4),
  decimal(38, 10),
  { kind: "fixed", length: 5 },
];

export function appendValue(builder: ColumnBuilder, type: PrimitiveType, value: Value | null): void {
  if (value === null) {
    builder.appendNull();
    return;
  }
  switch (type.kind) {
    case "boolean":
      builder.appendBool(value as boolean);
      break;
    case "int":
    case "date":
      builder.appendI32(value as number);
      break;
    case "float":
      builder.appendF32(value as number);
      break;
    case "double":
      builder.appendF64(value as number);
      break;
    case "decimal":
      builder.appendDecimal128(value as bigint, (value as bigint) >> 64n);
      break;
    case "string":
      builder.appendString(value as string);
      break;
    case "uuid":
    case "fixed":
    case "binary":
    case "geometry":
    case "geography":
      builder.appendBytes(value as Uint8Array, 0, (value as Uint8Array).length);
      break;
    default:
      builder.appendI64(value as bigint);
  }
}

export function columnOf(type: PrimitiveType, values: readonly (Value | null)[]): Column {
  const builder = createBuilder(type);
  for (const value of values) appendValue(builder, type, value);
  return builder.finish();
}

export function valuesOf(column: Column): (Value | null)[] {
  return Array.from({ length: column.length }, (_, row) => valueAt(column, row));
}

/** Any code point but surrogates; fast-check's own takes seconds to set up. */
const anyCharacter = fc
  .integer({ min: 0, max: 0x10ffff - 0x800 })
  .map((point) => String.fromCodePoint(point < 0xd800 ? point : point + 0x800));

/** Any value of a type, its edges often. */
export function anyValue(type: PrimitiveType): fc.Arbitrary<Value> {
  switch (type.kind) {
    case "boolean":
      return fc.boolean();
    case "int":
    case "date":
      return fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff });
    case "float":
      return fc.float();
    case "double":
      return fc.double();
    case "time":
      return fc.bigInt({ min: 0n, max: 86_399_999_999n });
    case "decimal": {
      const most = 10n ** BigInt(type.precision) - 1n;
      return fc.oneof(fc.bigInt({ min: -most, max: most }), fc.constantFrom(most, -most, 0n, -1n));
    }
    case "string":
      return fc.string({ unit: anyCharacter, maxLength: 40 });
    case "uuid":
      return fc.uint8Array({ minLength: 16, maxLength: 16 });
    case "fixed":
      return fc.uint8Array({ minLength: type.length, maxLength: type.length });
    case "binary":
      return fc.uint8Array({ maxLength: 40 });
    default:
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  }
}

/** Rows of a type: none, some, half or all of them null; few distinct values or many. */
export function anyRows(type: PrimitiveType, length: number): fc.Arbitrary<(Value | null)[]> {
  const size = { minLength: length, maxLength: length } as const;
  const many = anyValue(type);
  const few = fc.array(many, { minLength: 1, maxLength: 3 }).chain((values) => fc.constantFrom(...values));
  return fc
    .tuple(fc.constantFrom(0, 1, 50, 100), fc.boolean())
    .chain(([nullShare, isFew]): fc.Arbitrary<(Value | null)[]> => {
      if (nullShare === 100) return fc.constant(new Array<null>(length).fill(null));
      const value = isFew ? few : many;
      if (nullShare === 0) return fc.array(value, size);
      return fc.array(
        fc.oneof({ weight: nullShare, arbitrary: fc.constant(null) }, { weight: 100 - nullShare, arbitrary: value }),
        size,
      );
    });
}
