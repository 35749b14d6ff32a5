import {
  fieldByName,
  isPrimitive,
  orderApplies,
  parseSortBy,
  type Schema,
  type SortOrder,
  sortByTexts,
  type TableMetadata,
  fieldById,
  typeText,
} from "../../../table-format/index.ts";
import { FrazilError } from "../../core/errors.ts";

/** How the rows of new files stand. */
export type Arrangement =
  /** As they stood in the old files. */
  | { readonly kind: "keep" }
  /** By an order; its id is 0 when it is none of the table's. */
  | { readonly kind: "sort"; readonly order: SortOrder }
  /** Along a curve that keeps rows together which are near in several columns. */
  | { readonly kind: "z-order"; readonly fieldIds: readonly number[] };

/**
 * The order of `--sort`: its terms as in a job's `sort_by`, or the table's own for null. An order that the table knows has the table's id.
 * @throws FrazilError `config` when the table has no order, or a term does not fit its columns.
 */
export function sortArrangement(
  metadata: TableMetadata,
  schema: Schema,
  terms: readonly string[] | null,
): Arrangement & { kind: "sort" } {
  if (terms !== null) {
    const { fields } = parseSortBy(terms, schema);
    if (fields.length === 0) throw noOrder("an order has at least one term", "name columns: region, created_at desc");
    const known = metadata.sortOrders.find((order) => JSON.stringify(order.fields) === JSON.stringify(fields));
    return { kind: "sort", order: { orderId: known?.orderId ?? 0, fields } };
  }
  const order = metadata.sortOrders.find(({ orderId }) => orderId === metadata.defaultSortOrderId);
  if (order === undefined || order.fields.length === 0) {
    throw noOrder("the table has no sort order", 'name one: --sort "region, created_at desc"');
  }
  if (!orderApplies(order, schema)) {
    throw noOrder("the table's sort order names a column that is gone, or of another type now", "name one with --sort");
  }
  return { kind: "sort", order };
}

/** @throws FrazilError `config` for columns that are not there or have no order. */
export function zOrderArrangement(schema: Schema, names: readonly string[]): Arrangement & { kind: "z-order" } {
  const fieldIds = names.map((name) => {
    const field = fieldByName(schema, name);
    if (field === null) {
      const known = schema.fields.map((each) => each.name).join(", ");
      throw new FrazilError("config", "Z_ORDER", `column ${JSON.stringify(name)} does not exist`, { hint: known });
    }
    if (!isPrimitive(field.type)) {
      throw new FrazilError("config", "Z_ORDER", `column ${name}: ${typeText(field.type)} has no order`);
    }
    return field.id;
  });
  if (new Set(fieldIds).size < fieldIds.length || fieldIds.length === 0) {
    throw new FrazilError("config", "Z_ORDER", "expected columns, each once", {
      hint: "--zorder customer_id,created_at",
    });
  }
  return { kind: "z-order", fieldIds };
}

/** As people read it. */
export function arrangementText(arrangement: Arrangement, schema: Schema): string {
  const nameOf = (id: number): string => fieldById(schema, id)?.name ?? `field ${id}`;
  switch (arrangement.kind) {
    case "keep":
      return "in their order";
    case "sort":
      return `sorted by ${sortByTexts(arrangement.order, nameOf).join(", ")}`;
    case "z-order":
      return `z-ordered by ${arrangement.fieldIds.map(nameOf).join(", ")}`;
  }
}

function noOrder(message: string, hint: string): FrazilError {
  return new FrazilError("config", "SORT_ORDER", message, { hint });
}
