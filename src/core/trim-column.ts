import { type Column, isValid } from "../../table-format/index.ts";

/** The first `length` rows of a column, where rows were begun and dropped. */
export function trimColumn(column: Column, length: number): Column {
  if (column.length === length) return column;
  let { nullCount } = column;
  for (let row = length; row < column.length; row++) if (!isValid(column, row)) nullCount--;
  const base = {
    type: column.type,
    length,
    nullCount,
    validity: nullCount === 0 ? null : trimBits(column.validity as Uint8Array, length),
  };
  switch (column.layout) {
    case "bits":
      return { ...base, layout: "bits", values: trimBits(column.values, length) };
    case "i32":
      return { ...base, layout: "i32", values: column.values.subarray(0, length) };
    case "i64":
      return { ...base, layout: "i64", values: column.values.subarray(0, length) };
    case "f32":
      return { ...base, layout: "f32", values: column.values.subarray(0, length) };
    case "f64":
      return { ...base, layout: "f64", values: column.values.subarray(0, length) };
    case "i128":
      return { ...base, layout: "i128", values: column.values.subarray(0, length * 2) };
    case "bytes": {
      const offsets = column.offsets.subarray(0, length + 1);
      return { ...base, layout: "bytes", offsets, values: column.values.subarray(0, offsets[length]) };
    }
    case "fixed": {
      const { width } = column;
      return { ...base, layout: "fixed", width, values: column.values.subarray(0, length * width) };
    }
  }
}

/** The first `length` bits of a bitmap, bits past the end cleared. */
export function trimBits(bits: Uint8Array, length: number): Uint8Array {
  const trimmed = bits.slice(0, (length + 7) >> 3);
  const last = trimmed.length - 1;
  if ((length & 7) !== 0) trimmed[last] = (trimmed[last] as number) & ((1 << (length & 7)) - 1);
  return trimmed;
}
