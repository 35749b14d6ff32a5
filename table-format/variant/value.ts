import { checkValue } from "./check.ts";
import { textOf, unsignedAt } from "./corrupt.ts";
import { Basic, containerAt, elementAt, fieldIdAt, Primitive, valueEnd } from "./layout.ts";
import { parseVariantNames, type VariantNames } from "./names.ts";
import type { Variant } from "./variant.ts";

/**
 * What a variant holds, with the type that it was written with (Parquet's VariantEncoding, "Encoding types"). Integers are bigint, whatever
 * their width; decimals have the unscaled value and its scale; dates are days, times microseconds, timestamps micro- or nanoseconds since
 * 1970, with or without a zone, named as Iceberg's types are. A field that an object lacks is not in `fields`; one that is null is there.
 */
export type VariantValue =
  | { readonly kind: "null" }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: IntegerKind; readonly value: bigint }
  | { readonly kind: "float" | "double" | "date"; readonly value: number }
  | { readonly kind: DecimalKind; readonly unscaled: bigint; readonly scale: number }
  | { readonly kind: TimeKind; readonly value: bigint }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "binary" | "uuid"; readonly value: Uint8Array }
  | { readonly kind: "object"; readonly fields: ReadonlyMap<string, VariantValue> }
  | { readonly kind: "array"; readonly items: readonly VariantValue[] };

type IntegerKind = "int8" | "int16" | "int32" | "int64";
type DecimalKind = "decimal4" | "decimal8" | "decimal16";
type TimeKind = "time" | "timestamp" | "timestamptz" | "timestamp_ns" | "timestamptz_ns";

const INTEGERS = ["int8", "int16", "int32", "int64"] as const;
const DECIMALS = ["decimal4", "decimal8", "decimal16"] as const;

/**
 * Takes a variant apart. Bytes are views of the variant's.
 * @throws FrazilError kind `corrupt` naming the byte; `unsupported` for what came after version 1
 */
export function decodeVariant({ metadata, value }: Variant): VariantValue {
  const names = parseVariantNames(metadata);
  checkValue(value, names);
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return decode(view, value, 0, value.length, names);
}

/** Of the value from `at` to `end`, which has been checked. */
function decode(view: DataView, bytes: Uint8Array, at: number, end: number, names: VariantNames): VariantValue {
  const head = bytes[at] as number;
  switch (head & 3) {
    case Basic.shortString:
      return { kind: "string", value: textOf("value", bytes, at + 1, end) };
    case Basic.object: {
      const layout = containerAt(bytes, at, end);
      const fields = new Map<string, VariantValue>();
      for (let k = 0; k < layout.count; k++) {
        const start = elementAt(bytes, layout, k);
        const name = names.name(fieldIdAt(bytes, layout, k)) as string;
        fields.set(name, decode(view, bytes, start, valueEnd(bytes, start, end), names));
      }
      return { kind: "object", fields };
    }
    case Basic.array: {
      const layout = containerAt(bytes, at, end);
      const items = Array.from({ length: layout.count }, (_, k) => {
        const start = elementAt(bytes, layout, k);
        return decode(view, bytes, start, valueEnd(bytes, start, end), names);
      });
      return { kind: "array", items };
    }
    default:
      return primitive(view, bytes, at, end);
  }
}

function primitive(view: DataView, bytes: Uint8Array, at: number, end: number): VariantValue {
  const id = (bytes[at] as number) >> 2;
  switch (id) {
    case Primitive.null:
      return { kind: "null" };
    case Primitive.true:
    case Primitive.false:
      return { kind: "boolean", value: id === Primitive.true };
    case Primitive.int8:
    case Primitive.int16:
    case Primitive.int32:
    case Primitive.int64:
      return { kind: INTEGERS[id - Primitive.int8] as IntegerKind, value: signedAt(bytes, at + 1, end) };
    case Primitive.decimal4:
    case Primitive.decimal8:
    case Primitive.decimal16: {
      const kind = DECIMALS[id - Primitive.decimal4] as DecimalKind;
      return { kind, scale: bytes[at + 1] as number, unscaled: signedAt(bytes, at + 2, end) };
    }
    case Primitive.double:
      return { kind: "double", value: view.getFloat64(at + 1, true) };
    case Primitive.float:
      return { kind: "float", value: view.getFloat32(at + 1, true) };
    case Primitive.date:
      return { kind: "date", value: view.getInt32(at + 1, true) };
    case Primitive.time:
      return { kind: "time", value: view.getBigInt64(at + 1, true) };
    case Primitive.timestamp:
      return { kind: "timestamp", value: view.getBigInt64(at + 1, true) };
    case Primitive.timestamptz:
      return { kind: "timestamptz", value: view.getBigInt64(at + 1, true) };
    case Primitive.timestamp_ns:
      return { kind: "timestamp_ns", value: view.getBigInt64(at + 1, true) };
    case Primitive.timestamptz_ns:
      return { kind: "timestamptz_ns", value: view.getBigInt64(at + 1, true) };
    case Primitive.string:
      return { kind: "string", value: textOf("value", bytes, at + 5, end) };
    case Primitive.binary:
      return { kind: "binary", value: bytes.subarray(at + 5, end) };
    default:
      return { kind: "uuid", value: bytes.subarray(at + 1, end) };
  }
}

/** Two's complement, little endian, of whatever width. */
function signedAt(bytes: Uint8Array, start: number, end: number): bigint {
  let value = 0n;
  for (let at = end; at > start; at -= 4) {
    const from = Math.max(start, at - 4);
    value = (value << BigInt(8 * (at - from))) | BigInt(unsignedAt(bytes, from, at - from));
  }
  return BigInt.asIntN(8 * (end - start), value);
}
