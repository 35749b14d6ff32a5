import {
  applyTransform,
  type Column,
  createBuilder,
  isValid,
  parseTransform,
  type PrimitiveType,
  type SortOrder,
  transformResultType,
  type Value,
  valueAt,
} from "../../../table-format/index.ts";
import { KeyBytes, valueWriter, type WriteValue } from "./key-bytes.ts";

/** Writes the part of a key that one row of a batch has. */
export type WriteKey = (row: number, out: KeyBytes) => void;

/** The keys of `length` rows as a column of bytes: compared unsigned, they stand in the order of the rows to be. */
export function keyColumn(length: number, parts: readonly WriteKey[]): Column & { readonly layout: "bytes" } {
  const out = new KeyBytes();
  const offsets = new Int32Array(length + 1);
  for (let row = 0; row < length; row++) {
    for (const part of parts) part(row, out);
    offsets[row + 1] = out.length;
  }
  return {
    type: { kind: "binary" },
    layout: "bytes",
    length,
    nullCount: 0,
    validity: null,
    offsets,
    values: out.bytes.subarray(0, out.length),
  };
}

/**
 * The parts of a batch's keys by a sort order (spec, "Sorting").
 * @param columnOf the batch's values of a column by its field id.
 */
export function orderKeys(order: SortOrder, columnOf: (fieldId: number) => Column): WriteKey[] {
  return order.fields.flatMap(({ sourceId, transform, direction, nullOrder }) => {
    const column = transformed(transform, columnOf(sourceId));
    if (column === null) return [];
    const write = valueWriter(column);
    return [term(column, direction === "desc" ? descending(write) : write, nullOrder === "nulls-first")];
  });
}

/** Nulls by the order's word, whatever its direction. The mark is always there: batches with and without nulls must agree. */
function term(column: Column, write: WriteValue, nullsFirst: boolean): WriteKey {
  const nullMark = nullsFirst ? 0 : 2;
  return (row, out) => {
    if (column.type.kind === "unknown" || !isValid(column, row)) out.byte(nullMark);
    else {
      out.byte(1);
      write(row, out);
    }
  };
}

/** The same bytes turned over. */
function descending(write: WriteValue): WriteValue {
  return (row, out) => {
    const start = out.length;
    write(row, out);
    const { bytes, length } = out;
    for (let k = start; k < length; k++) bytes[k] = ~(bytes[k] as number);
  };
}

/** What a transform makes of a column; null for `void`, which tells nothing apart. */
function transformed(text: string, column: Column): Column | null {
  const transform = parseTransform(text);
  if (transform.kind === "identity") return column;
  if (transform.kind === "void") return null;
  const type = transformResultType(transform, column.type);
  const values: (Value | null)[] = [];
  for (let row = 0; row < column.length; row++) {
    values.push(applyTransform(transform, column.type, valueAt(column, row)));
  }
  return columnOf(type, values);
}

/** A column of values in the form that `valueAt` gives them. */
export function columnOf(type: PrimitiveType, values: readonly (Value | null)[]): Column {
  const builder = createBuilder(type);
  for (const value of values) {
    if (value === null) builder.appendNull();
    else if (typeof value === "boolean") builder.appendBool(value);
    else if (typeof value === "bigint" && type.kind === "decimal") {
      builder.appendDecimal128(BigInt.asIntN(64, value), value >> 64n);
    } else if (typeof value === "bigint") builder.appendI64(value);
    else if (typeof value === "string") builder.appendString(value);
    else if (typeof value === "number") {
      if (type.kind === "float" || type.kind === "double") builder.appendF64(value);
      else builder.appendI32(value);
    } else builder.appendBytes(value, 0, value.length);
  }
  return builder.finish();
}
