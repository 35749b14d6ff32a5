import { hash } from "node:crypto";
import { type Column, isValid } from "../../../table-format/index.ts";

/** Longer texts are hashed: all that is known of a row may be much. */
const LONGEST_TEXT = 48;

/**
 * The values of one row in some columns as a text that equal values share, and no others: the bytes of each value behind their number, by
 * which nulls and the ends of values are told apart. Long texts are given as their SHA-256. Floats are equal when their bits are.
 */
export function rowKey(columns: readonly Column[], row: number): string {
  let text = "";
  for (const column of columns) {
    if (!isValid(column, row)) {
      text += "-";
      continue;
    }
    const bytes = valueBytes(column, row);
    text += `${bytes.length}:${bytes.toString("latin1")}`;
  }
  return text.length <= LONGEST_TEXT ? text : hash("sha256", Buffer.from(text, "latin1"), "base64");
}

function valueBytes(column: Column, row: number): Buffer {
  switch (column.layout) {
    case "bits":
      return Buffer.from([((column.values[row >> 3] as number) >> (row & 7)) & 1]);
    case "bytes": {
      const start = column.offsets[row] as number;
      return view(column.values, start, (column.offsets[row + 1] as number) - start);
    }
    case "fixed":
      return view(column.values, row * column.width, column.width);
    case "i128":
      return view(column.values, row * 16, 16);
    case "i32":
    case "i64":
    case "f32":
    case "f64": {
      const width = column.values.BYTES_PER_ELEMENT;
      return view(column.values, row * width, width);
    }
  }
}

function view(values: ArrayBufferView, offset: number, length: number): Buffer {
  return Buffer.from(values.buffer, values.byteOffset + offset, length);
}
