import {
  fieldById,
  normalSortBy,
  parsePartitionBy,
  parseSortBy,
  type PartitionSpec,
  type Schema,
  sortByTexts,
  type SortOrder,
  type TableMetadata,
  type TableUpdate,
} from "../../../table-format/index.ts";
import { FrazilError, must } from "../../core/errors.ts";
import type { TableRule } from "../../core/table-rule.ts";

/** How a new table lays its rows out. */
export interface TableLayout {
  readonly spec: PartitionSpec;
  readonly sortOrder: SortOrder;
}

/** @throws FrazilError `config` naming the table and the entry of `partition_by` or `sort_by` that does not fit its columns. */
export function firstLayout(target: string, rule: TableRule, schema: Schema): TableLayout {
  return named(target, () => ({
    spec: parsePartitionBy(rule.partitionBy, schema),
    sortOrder: parseSortBy(rule.sortBy ?? [], schema),
  }));
}

/**
 * The updates that make a table's rows be sorted as the job says; empty when they are, or when the job says nothing.
 * A column of the order that the table has since lost is no reason to stop: its files are then written unsorted.
 * @param schema the table's schema once its own updates are applied.
 * @throws FrazilError `config` when `sort_by` names a column that the table never had in its order.
 */
export function sortUpdates(
  target: string,
  rule: TableRule,
  metadata: Pick<TableMetadata, "sortOrders" | "defaultSortOrderId" | "schemas">,
  schema: Schema,
): TableUpdate[] {
  if (rule.sortBy === null) return [];
  const { sortBy } = rule;
  const present = defaultOrder(metadata);
  let wanted: SortOrder;
  try {
    wanted = named(target, () => parseSortBy(sortBy, schema));
  } catch (error) {
    const texts = sortByTexts(present, (id) => lastName(metadata, id));
    if (texts.length > 0 && texts.join() === normalSortBy(sortBy).join()) return [];
    throw error;
  }
  if (JSON.stringify(wanted.fields) === JSON.stringify(present.fields)) return [];
  return [
    { action: "add-sort-order", sortOrder: wanted },
    { action: "set-default-sort-order", sortOrderId: -1 },
  ];
}

/** The order in which writers are to sort a table's rows. */
export function defaultOrder(metadata: Pick<TableMetadata, "sortOrders" | "defaultSortOrderId">): SortOrder {
  const order = metadata.sortOrders.find(({ orderId }) => orderId === metadata.defaultSortOrderId);
  return must(order, "the default sort order is among the table's orders");
}

/** A column's name in the newest schema that has it. */
function lastName({ schemas }: Pick<TableMetadata, "schemas">, id: number): string {
  return schemas.map((schema) => fieldById(schema, id)?.name).findLast((name) => name !== undefined) ?? `field ${id}`;
}

function named<T>(target: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof FrazilError) || error.kind === "internal") throw error;
    throw new FrazilError(error.kind, error.code, `table ${target}: ${error.message}`, { hint: error.hint });
  }
}
