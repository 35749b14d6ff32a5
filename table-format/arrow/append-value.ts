import type { Value } from "../manifest/data-file.ts";
import type { PrimitiveType } from "../schema/types.ts";
import type { ColumnBuilder } from "./column-builder.ts";

/** Appends a value of a column's type, in the form that `valueAt` gives. For values one by one: decoders append in their own ways. */
export function appendValue(builder: ColumnBuilder, type: PrimitiveType, value: Value | null): void {
  if (value === null) {
    builder.appendNull();
    return;
  }
  switch (type.kind) {
    case "boolean":
      return builder.appendBool(value as boolean);
    case "int":
    case "date":
      return builder.appendI32(Number(value));
    case "long":
    case "time":
    case "timestamp":
    case "timestamptz":
    case "timestamp_ns":
    case "timestamptz_ns":
      return builder.appendI64(BigInt(value as bigint | number));
    case "float":
    case "double":
      return builder.appendF64(value as number);
    case "decimal": {
      const unscaled = value as bigint;
      return builder.appendDecimal128(unscaled, unscaled >> 64n);
    }
    case "string":
      return builder.appendString(value as string);
    case "uuid":
    case "fixed":
    case "binary":
    case "geometry":
    case "geography": {
      const bytes = value as Uint8Array;
      return builder.appendBytes(bytes, 0, bytes.length);
    }
    case "unknown":
      return builder.appendNull();
  }
}
