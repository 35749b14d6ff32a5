import {
  type Column,
  type CompareRows,
  type NestedField,
  orderApplies,
  rowOrder,
  type Schema,
  type TableMetadata,
} from "../../table-format/index.ts";
import { must } from "../core/errors.ts";
import { defaultOrder } from "./layout/table-layout.ts";

/** How the rows to be written are sorted. */
export interface RowSort {
  readonly sortOrderId: number;
  readonly compare: CompareRows;
}

/**
 * The table's order over the rows to be written, by their numbers; null when it has none, or one whose columns the table no longer has
 * in a form that the order takes. A file then says that it is not sorted.
 * @param gather all rows' values of a column.
 */
export function rowSort(
  metadata: TableMetadata,
  schema: Schema,
  gather: (field: NestedField) => Column,
): RowSort | null {
  const order = defaultOrder(metadata);
  if (order.fields.length === 0 || !orderApplies(order, schema)) return null;
  const fieldOf = (id: number) =>
    must(
      schema.fields.find((field) => field.id === id),
      "an order that applies has its columns",
    );
  const columns = new Map(order.fields.map(({ sourceId }) => [sourceId, gather(fieldOf(sourceId))]));
  return {
    sortOrderId: order.orderId,
    compare: rowOrder(order, (id) => must(columns.get(id), "columns of an order are gathered")),
  };
}
