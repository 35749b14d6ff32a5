import { type Column, isValid } from "../arrow/column.ts";
import { must } from "../errors.ts";
import type { Value } from "../manifest/data-file.ts";
import type { SortOrder } from "../metadata/table-metadata.ts";
import { applyTransform, parseTransform, transformResultType } from "../partition/transform.ts";
import type { PrimitiveType } from "../schema/types.ts";
import { compareValues, valueAt } from "../values/single-value.ts";

/** Negative, zero or positive: how row `a` stands to row `b`. */
export type CompareRows = (a: number, b: number) => number;

/**
 * Compares rows by a sort order (spec, "Sorting"): texts by code point, bytes unsigned, -0.0 before 0.0, every NaN after all numbers (as
 * Java has it), nulls by the order's word whatever its direction.
 * @param columnOf the values of a column by its field id.
 */
export function rowOrder(order: SortOrder, columnOf: (fieldId: number) => Column): CompareRows {
  const terms = order.fields.map(({ sourceId, transform, direction, nullOrder }) => {
    const column = columnOf(sourceId);
    const compare = transform === "identity" ? compareColumn(column) : compareTransformed(transform, column);
    return directed(column, compare, direction === "desc", nullOrder === "nulls-first");
  });
  const [first, ...rest] = terms;
  if (first === undefined) return () => 0;
  if (rest.length === 0) return first;
  return (a, b) => {
    let found = first(a, b);
    for (let k = 0; found === 0 && k < rest.length; k++) found = (rest[k] as CompareRows)(a, b);
    return found;
  };
}

/** The rows in a sort order; rows that it does not tell apart stay as they stood. */
export function sortRows(rows: Uint32Array, compare: CompareRows): Uint32Array {
  // The sort of typed arrays is stable (ECMA-262, "TypedArray.prototype.sort").
  return rows.toSorted(compare);
}

function directed(column: Column, compare: CompareRows, descending: boolean, nullsFirst: boolean): CompareRows {
  const values: CompareRows = descending ? (a, b) => compare(b, a) : compare;
  if (column.nullCount === 0) return values;
  const nullSide = nullsFirst ? -1 : 1;
  return (a, b) => {
    const hasA = isValid(column, a);
    if (hasA !== isValid(column, b)) return hasA ? -nullSide : nullSide;
    return hasA ? values(a, b) : 0;
  };
}

/** Compares values that are not null. */
function compareColumn(column: Column): CompareRows {
  switch (column.layout) {
    case "i32": {
      const { values } = column;
      return (a, b) => (values[a] as number) - (values[b] as number);
    }
    case "i64":
      return compareWords(column.values, 2);
    case "i128":
      return compareWords(column.values, 4);
    case "f32":
    case "f64": {
      const { type, values } = column;
      return (a, b) => {
        const [x, y] = [values[a] as number, values[b] as number];
        return x < y ? -1 : x > y ? 1 : compareValues(type, x, y);
      };
    }
    case "bytes": {
      const { offsets, values } = column;
      return compareBytes(
        values,
        (row) => offsets[row] as number,
        (row) => offsets[row + 1] as number,
        column.length,
      );
    }
    case "fixed": {
      const { width, values } = column;
      return compareBytes(
        values,
        (row) => row * width,
        (row) => (row + 1) * width,
        column.length,
      );
    }
    case "bits": {
      const { values } = column;
      const bit = (row: number) => ((values[row >> 3] as number) >> (row & 7)) & 1;
      return (a, b) => bit(a) - bit(b);
    }
  }
}

/** Integers of 64 or 128 bits by their words, of which only the highest has a sign: no bigint is made. */
function compareWords(column: BigInt64Array, wordsPerRow: 2 | 4): CompareRows {
  const words = new Uint32Array(column.buffer, column.byteOffset, column.length * 2);
  const top = wordsPerRow - 1;
  return (a, b) => {
    const [atA, atB] = [a * wordsPerRow, b * wordsPerRow];
    const high = ((words[atA + top] as number) | 0) - ((words[atB + top] as number) | 0);
    if (high !== 0) return high;
    for (let k = top - 1; k >= 0; k--) {
      const difference = (words[atA + k] as number) - (words[atB + k] as number);
      if (difference !== 0) return difference;
    }
    return 0;
  };
}

type Bound = (row: number) => number;

/** Unsigned bytes, a beginning before what goes on from it. UTF-8 in this order is text by code point. */
function compareBytes(values: Uint8Array, startOf: Bound, endOf: Bound, length: number): CompareRows {
  // Four bytes decide most comparisons; zeros stand for those that a value lacks.
  const heads = new Uint32Array(length);
  for (let row = 0; row < length; row++) {
    const [start, end] = [startOf(row), endOf(row)];
    let head = 0;
    for (let k = 0; k < 4; k++) head = (head << 8) | (start + k < end ? (values[start + k] as number) : 0);
    heads[row] = head;
  }
  return (a, b) => {
    const head = (heads[a] as number) - (heads[b] as number);
    if (head !== 0) return head;
    const [atA, atB] = [startOf(a), startOf(b)];
    const [sizeA, sizeB] = [endOf(a) - atA, endOf(b) - atB];
    const shared = Math.min(sizeA, sizeB);
    for (let k = 0; k < shared; k++) {
      const difference = (values[atA + k] as number) - (values[atB + k] as number);
      if (difference !== 0) return difference;
    }
    return sizeA - sizeB;
  };
}

/** Compares what a transform makes of the values, each made once. */
function compareTransformed(text: string, column: Column): CompareRows {
  const transform = parseTransform(text);
  const result: PrimitiveType = transformResultType(transform, column.type);
  const values: (Value | null)[] = [];
  for (let row = 0; row < column.length; row++) {
    values.push(applyTransform(transform, column.type, valueAt(column, row)));
  }
  // `void` makes every value null: nothing is told apart.
  if (transform.kind === "void") return () => 0;
  const at = (row: number): Value => must(values[row], "rows without a value are not compared");
  return (a, b) => compareValues(result, at(a), at(b));
}
