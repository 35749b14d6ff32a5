import {
  compareValues,
  currentSchema,
  type DataFile,
  decodeValue,
  fieldById,
  isPrimitive,
  type LoadedTable,
  orderApplies,
  type SortOrder,
  type TableMetadata,
  type Value,
} from "../../../table-format/index.ts";
import type { Arrangement } from "./arrangement.ts";
import type { CompactInput } from "./compact-input.ts";

/**
 * How files are joined when nothing was asked for. One sorted file stays sorted without some of its rows; several of one order are merged
 * in it, so that the new file is sorted too. Files of different orders, or of none, keep their rows' order and the new file says nothing of it.
 */
export function keptArrangement(
  metadata: TableMetadata,
  files: readonly DataFile[],
): { readonly arrangement: Arrangement; readonly sortOrderId: number | null } {
  const [orderId, ...others] = new Set(files.map((file) => file.sortOrderId ?? 0));
  if (orderId === undefined || orderId === 0 || others.length > 0)
    return { arrangement: { kind: "keep" }, sortOrderId: null };
  const order = metadata.sortOrders.find((each) => each.orderId === orderId);
  if (order === undefined || !orderApplies(order, currentSchema(metadata))) {
    return { arrangement: { kind: "keep" }, sortOrderId: null };
  }
  return { arrangement: files.length === 1 ? { kind: "keep" } : { kind: "sort", order }, sortOrderId: orderId };
}

/**
 * Whether a partition's files are in an order already: each says so, none has deleted rows, and by the bounds of the order's first column
 * no two overlap in more than one value.
 */
export function inOrder({ metadata }: LoadedTable, order: SortOrder, inputs: readonly CompactInput[]): boolean {
  if (order.orderId === 0 || inputs.some((input) => input.deletedRows > 0)) return false;
  if (inputs.some(({ live }) => live.file.sortOrderId !== order.orderId)) return false;
  if (inputs.length <= 1) return true;
  const [first] = order.fields;
  const type = first === undefined ? undefined : fieldById(currentSchema(metadata), first.sourceId)?.type;
  if (first === undefined || first.transform !== "identity" || type === undefined || !isPrimitive(type)) return false;
  const ranges: { readonly low: Value; readonly high: Value }[] = [];
  for (const { live } of inputs) {
    const low = live.file.lowerBounds?.get(first.sourceId);
    const high = live.file.upperBounds?.get(first.sourceId);
    if (low === undefined || high === undefined) return false;
    ranges.push({ low: decodeValue(type, low), high: decodeValue(type, high) });
  }
  ranges.sort((a, b) => compareValues(type, a.low, b.low));
  return ranges.every(({ low }, at) => at === 0 || compareValues(type, ranges[at - 1]?.high ?? low, low) <= 0);
}
