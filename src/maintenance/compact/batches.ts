import { type AnyBatch, type Cell, type Column, gatherAny, Variant } from "../../../table-format/index.ts";
import { assert } from "../../core/errors.ts";

/** Some rows of a batch, in the order given. */
export function pickRows(batch: AnyBatch, rows: Uint32Array): AnyBatch {
  const sources = new Uint32Array(rows.length);
  return {
    length: rows.length,
    columns: batch.columns.map((column) => gatherAny(column.type, [column], sources, rows)),
  };
}

/** A column whose values have an order. */
export function plainColumn(column: AnyBatch["columns"][number]): Column {
  assert(column.layout !== "cells", "a column of a primitive type");
  return column;
}

/** Memory that a batch takes. */
export function batchBytes({ columns }: AnyBatch): number {
  let bytes = 0;
  for (const column of columns) {
    if (column.layout === "cells") {
      for (const value of column.values) bytes += cellBytes(value);
      continue;
    }
    bytes += column.values.byteLength + (column.validity?.byteLength ?? 0);
    if (column.layout === "bytes") bytes += column.offsets.byteLength;
  }
  return bytes;
}

/** Roughly what V8 takes for an object's or an array's head, and for one of its slots. */
const HEAD_BYTES = 32;
const SLOT_BYTES = 8;

function cellBytes(cell: Cell | null): number {
  if (cell === null || typeof cell === "boolean") return SLOT_BYTES;
  if (typeof cell === "string") return SLOT_BYTES + HEAD_BYTES + cell.length;
  if (typeof cell !== "object") return SLOT_BYTES + HEAD_BYTES / 2;
  if (cell instanceof Uint8Array) return SLOT_BYTES + 3 * HEAD_BYTES + cell.byteLength;
  if (cell instanceof Variant) return SLOT_BYTES + 7 * HEAD_BYTES + cell.metadata.byteLength + cell.value.byteLength;
  let bytes = SLOT_BYTES + HEAD_BYTES;
  for (const part of Array.isArray(cell) ? cell : Object.values(cell)) bytes += cellBytes(part as Cell | null);
  return bytes;
}
