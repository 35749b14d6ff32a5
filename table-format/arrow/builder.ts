import type { PrimitiveType } from "../schema/types.ts";
import { BytesBuilder, FixedBuilder } from "./bytes-builders.ts";
import { type Column, layoutOf } from "./column.ts";
import type { ColumnBuilder } from "./column-builder.ts";
import { BitsBuilder, F32Builder, F64Builder, I128Builder, I32Builder, I64Builder } from "./number-builders.ts";

/** An empty builder for values of a type. */
export function createBuilder(type: PrimitiveType): ColumnBuilder {
  switch (layoutOf(type)) {
    case "bits":
      return new BitsBuilder(type);
    case "i32":
      return new I32Builder(type);
    case "i64":
      return new I64Builder(type);
    case "f32":
      return new F32Builder(type);
    case "f64":
      return new F64Builder(type);
    case "i128":
      return new I128Builder(type);
    case "bytes":
      return new BytesBuilder(type);
    case "fixed":
      return new FixedBuilder(type, widthOf(type));
  }
}

/** Bytes of one value of the `fixed` layout: 16 for uuid. */
export function widthOf(type: PrimitiveType): number {
  return type.kind === "fixed" ? type.length : 16;
}

/** A column of `length` nulls. */
export function nullColumn(type: PrimitiveType, length: number): Column {
  const base = { type, length, nullCount: length, validity: new Uint8Array((length + 7) >> 3) };
  const layout = layoutOf(type);
  switch (layout) {
    case "bits":
      return { ...base, layout, values: new Uint8Array((length + 7) >> 3) };
    case "i32":
      return { ...base, layout, values: new Int32Array(length) };
    case "i64":
      return { ...base, layout, values: new BigInt64Array(length) };
    case "f32":
      return { ...base, layout, values: new Float32Array(length) };
    case "f64":
      return { ...base, layout, values: new Float64Array(length) };
    case "i128":
      return { ...base, layout, values: new BigInt64Array(length * 2) };
    case "bytes":
      return { ...base, layout, offsets: new Int32Array(length + 1), values: new Uint8Array(0) };
    case "fixed":
      return { ...base, layout, width: widthOf(type), values: new Uint8Array(length * widthOf(type)) };
  }
}
