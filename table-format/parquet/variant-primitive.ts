import type { SchemaElement } from "hyparquet";
import { FrazilError } from "../errors.ts";
import type { PrimitiveType } from "../schema/types.ts";
import type { Cell } from "../values/cell.ts";
import { primitiveBytes, stringBytes } from "../variant/encode.ts";
import type { VariantValue } from "../variant/value.ts";
import type { FileLeaf } from "./file-columns.ts";

/** How the values of a shredded column become those of a variant. */
interface ShreddedPrimitive {
  /** In which the column is decoded. */
  readonly type: PrimitiveType;
  /** @throws FrazilError `corrupt` for a value out of the range of the column's type */
  bytesOf(value: Cell): Uint8Array;
}

const MAX_PRECISION = 38;

/**
 * The type of a `typed_value` (VariantShredding, "Shredded Value Types").
 * @throws FrazilError kind `unsupported` for a type that no variant has
 */
export function shreddedPrimitive(path: string, { element }: FileLeaf): ShreddedPrimitive {
  const found = find(element);
  if (found !== null) return found;
  const { type, logical_type: logical, converted_type: converted } = element;
  const text = [type, converted, logical === undefined ? undefined : JSON.stringify(logical)];
  throw new FrazilError(
    "unsupported",
    "SHREDDED_TYPE",
    `${path}: expected a type of a variant, found ${text.filter((each) => each !== undefined).join(" ")}`,
  );
}

function find(element: SchemaElement): ShreddedPrimitive | null {
  const { logical_type: logical, converted_type: converted } = element;
  const annotation = logical?.type ?? converted;
  switch (element.type) {
    case "BOOLEAN":
      return of({ kind: "boolean" }, (value) => ({ kind: "boolean", value: value as boolean }));
    case "FLOAT":
      return of({ kind: "float" }, (value) => ({ kind: "float", value: value as number }));
    case "DOUBLE":
      return of({ kind: "double" }, (value) => ({ kind: "double", value: value as number }));
    case "INT32":
      if (annotation === "DATE") return of({ kind: "date" }, (value) => ({ kind: "date", value: value as number }));
      if (annotation === "DECIMAL") return decimal(element, "decimal4");
      return integer(element);
    case "INT64":
      if (annotation === "DECIMAL") return decimal(element, "decimal8");
      if (annotation === "TIME" || annotation === "TIMESTAMP") return time(element);
      if (converted === "TIMESTAMP_MICROS") return plain("timestamptz");
      return integer(element);
    case "BYTE_ARRAY":
      if (annotation === "DECIMAL") return decimal(element, "decimal16");
      // As bytes: whether they are UTF-8 is checked with the whole value.
      if (annotation === "STRING" || annotation === "UTF8") {
        return { type: { kind: "binary" }, bytesOf: (value) => stringBytes(value as Uint8Array) };
      }
      return annotation === undefined
        ? of({ kind: "binary" }, (value) => ({ kind: "binary", value: value as Uint8Array }))
        : null;
    case "FIXED_LEN_BYTE_ARRAY":
      if (annotation === "DECIMAL") return decimal(element, "decimal16");
      return annotation === "UUID" && element.type_length === 16
        ? of({ kind: "uuid" }, (value) => ({ kind: "uuid", value: value as Uint8Array }))
        : null;
    default:
      return null;
  }
}

type PrimitiveValue = Exclude<VariantValue, { readonly kind: "object" | "array" }>;

function of(type: PrimitiveType, valueOf: (value: Cell) => PrimitiveValue): ShreddedPrimitive {
  return {
    type,
    bytesOf(value) {
      try {
        return primitiveBytes(valueOf(value));
      } catch (error) {
        // The writer of the file said more than its column's type allows.
        if (!(error instanceof FrazilError)) throw error;
        throw new FrazilError("corrupt", error.code, error.message, { cause: error });
      }
    },
  };
}

function plain(kind: "time" | "timestamp" | "timestamptz" | "timestamp_ns" | "timestamptz_ns"): ShreddedPrimitive {
  return of({ kind }, (value) => ({ kind, value: value as bigint }));
}

/** Signed integers of the physical type's width, or of fewer bits. */
function integer({ type, logical_type: logical, converted_type: converted }: SchemaElement): ShreddedPrimitive | null {
  const width = type === "INT32" ? 32 : 64;
  const named = logical === undefined ? /^INT_(\d+)$/.exec(converted ?? `INT_${width}`)?.[1] : null;
  const isSigned = logical?.type === "INTEGER" ? logical.isSigned : named !== null && named !== undefined;
  const bits = logical?.type === "INTEGER" ? logical.bitWidth : Number(named);
  if (!isSigned || bits > width) return null;
  if (type === "INT64") {
    return bits === 64 ? of({ kind: "long" }, (value) => ({ kind: "int64", value: value as bigint })) : null;
  }
  const kind = ({ 8: "int8", 16: "int16", 32: "int32" } as const)[bits as 8 | 16 | 32];
  if (kind === undefined) return null;
  return of({ kind: "int" }, (value) => ({ kind, value: BigInt(value as number) }));
}

function decimal(element: SchemaElement, kind: "decimal4" | "decimal8" | "decimal16"): ShreddedPrimitive | null {
  const logical = element.logical_type?.type === "DECIMAL" ? element.logical_type : null;
  const precision = logical?.precision ?? element.precision ?? 0;
  const scale = logical?.scale ?? element.scale ?? 0;
  if (!(precision >= 1 && precision <= MAX_PRECISION && scale >= 0 && scale <= precision)) return null;
  // The reader goes by the element's own scale.
  if ((element.scale ?? 0) !== scale) return null;
  return of({ kind: "decimal", precision, scale }, (value) => ({ kind, scale, unscaled: value as bigint }));
}

function time({ logical_type: logical }: SchemaElement): ShreddedPrimitive | null {
  if (logical?.type === "TIME") return logical.unit === "MICROS" && !logical.isAdjustedToUTC ? plain("time") : null;
  if (logical?.type !== "TIMESTAMP" || logical.unit === "MILLIS") return null;
  const zoned = logical.isAdjustedToUTC;
  if (logical.unit === "NANOS") return plain(zoned ? "timestamptz_ns" : "timestamp_ns");
  return plain(zoned ? "timestamptz" : "timestamp");
}
