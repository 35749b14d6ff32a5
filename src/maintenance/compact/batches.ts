import { type ColumnBatch, gatherColumn } from "../../../table-format/index.ts";

/** Some rows of a batch, in the order given. */
export function pickRows(batch: ColumnBatch, rows: Uint32Array): ColumnBatch {
  const sources = new Uint32Array(rows.length);
  return {
    length: rows.length,
    columns: batch.columns.map((column) => gatherColumn(column.type, [column], sources, rows)),
  };
}

/** Memory that a batch takes. */
export function batchBytes({ columns }: ColumnBatch): number {
  let bytes = 0;
  for (const column of columns) {
    bytes += column.values.byteLength + (column.validity?.byteLength ?? 0);
    if (column.layout === "bytes") bytes += column.offsets.byteLength;
  }
  return bytes;
}
