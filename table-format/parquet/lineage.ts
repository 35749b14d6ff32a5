import type { Column } from "../arrow/column.ts";
import { isValid } from "../arrow/column.ts";
import { assert } from "../errors.ts";
import type { DataFile, LiveFile } from "../manifest/data-file.ts";
import type { NestedField, PrimitiveType, Schema } from "../schema/types.ts";
import type { AnyColumn } from "../values/cell.ts";

const LONG: PrimitiveType = { kind: "long" };

/** A row's id, of tables of version 3 (spec, "Row Lineage"). */
export const ROW_ID_FIELD: NestedField = { id: 2147483540, name: "_row_id", required: false, type: LONG };

/** Reserved fields of row lineage (spec, "Reserved Field IDs"). */
const LINEAGE_FIELDS: readonly NestedField[] = [
  ROW_ID_FIELD,
  { id: 2147483539, name: "_last_updated_sequence_number", required: false, type: LONG },
];

/** A `ColumnBatch`, or an `AnyBatch`. */
interface BatchOf<C extends AnyColumn> {
  readonly length: number;
  readonly columns: readonly C[];
}

/** The schema of files whose rows were moved: the table's fields, then `_row_id` and `_last_updated_sequence_number`. */
export function withLineage(schema: Schema): Schema {
  return { ...schema, fields: [...schema.fields, ...LINEAGE_FIELDS] };
}

/**
 * Makes the lineage of a batch read under `withLineage` explicit: where the file has no value, a row inherits the file's first row id
 * plus its position, and the file's data sequence number (spec, "Row Lineage").
 * @param start position of the batch's first row in the file
 */
export function explicitLineage<C extends AnyColumn>(
  batch: BatchOf<C | Column>,
  { file, sequenceNumber }: LiveFile,
  start: number,
): BatchOf<C | Column> {
  const count = batch.columns.length;
  const [rowId, updated] = batch.columns.slice(count - 2) as [Column, Column];
  // Rows from before the table's upgrade to version 3 have no id to keep.
  if (file.firstRowId === null) return batch;
  return {
    length: batch.length,
    columns: [
      ...batch.columns.slice(0, count - 2),
      explicitRowIds(rowId, file, (row) => start + row),
      filled(updated, () => sequenceNumber),
    ],
  };
}

/**
 * Fills a column that was read as `ROW_ID_FIELD`: where the file has no value, a row inherits the file's first row id plus its position.
 * Rows of files from before the upgrade to version 3 have no id.
 * @param positionOf the position of a row of the column in the file
 */
export function explicitRowIds(
  rowIds: Column,
  { firstRowId }: Pick<DataFile, "firstRowId">,
  positionOf: (row: number) => number,
): Column {
  return firstRowId === null ? rowIds : filled(rowIds, (row) => firstRowId + BigInt(positionOf(row)));
}

function filled(column: Column, inherited: (row: number) => bigint): Column {
  assert(column.layout === "i64", "lineage columns are longs");
  if (column.nullCount === 0) return column;
  const values = column.values.slice();
  for (let row = 0; row < column.length; row++) if (!isValid(column, row)) values[row] = inherited(row);
  return { ...column, values, nullCount: 0, validity: null };
}
