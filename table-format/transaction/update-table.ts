import { FrazilError } from "../errors.ts";
import { currentSchema } from "../metadata/refs.ts";
import { parseSortBy } from "../sort/sort-order.ts";
import { checkColumnProperties } from "./column-properties.ts";
import { metadataOperation } from "./manage-snapshots.ts";
import type { TableOperation } from "./operation.ts";

/**
 * Sets and removes table properties (Java's `updateProperties`). The commit throws `data` for those that follow from the metadata, and
 * for metrics of a column that is not there; the format version is changed by `upgradeFormatVersion`.
 * @throws FrazilError kind `data` for a property that is set and removed
 */
export function updateProperties(
  set: Readonly<Record<string, string>>,
  remove: readonly string[] = [],
): TableOperation {
  const twice = remove.find((key) => Object.hasOwn(set, key));
  if (twice !== undefined) {
    throw new FrazilError("data", "PROPERTY_TWICE", `property ${twice} cannot be set and removed at once`);
  }
  return metadataOperation("update properties", (base) => {
    checkColumnProperties(new Map(Object.entries(set)), currentSchema(base));
    const updates = new Map(Object.entries(set).filter(([key, value]) => base.properties.get(key) !== value));
    const removals = remove.filter((key) => base.properties.has(key));
    return [
      ...(updates.size === 0 ? [] : [{ action: "set-properties" as const, updates }]),
      ...(removals.length === 0 ? [] : [{ action: "remove-properties" as const, removals }]),
    ];
  });
}

/** Sets the order of new files (Java's `replaceSortOrder`), in terms such as `region`, `ts desc`, `bucket(16, id) nulls last`; none: unsorted. */
export function replaceSortOrder(terms: readonly string[]): TableOperation {
  return metadataOperation("replace sort order", (base) => {
    const sortOrder = parseSortBy(terms, currentSchema(base));
    const current = base.sortOrders.find(({ orderId }) => orderId === base.defaultSortOrderId);
    if (JSON.stringify(current?.fields) === JSON.stringify(sortOrder.fields)) return [];
    return [
      { action: "add-sort-order", sortOrder },
      { action: "set-default-sort-order", sortOrderId: -1 },
    ];
  });
}

/**
 * Raises the format version of a live table; what is there stays as it is. From version 3 on the next snapshot gives row ids to all data
 * files (spec, "Row Lineage for Upgraded Tables"), and the next row delta on a file takes its position deletes up into a deletion vector.
 */
export function upgradeFormatVersion(formatVersion: 2 | 3): TableOperation {
  return metadataOperation("upgrade format version", (base, { context }) => {
    if (base.formatVersion === formatVersion) return [];
    return [
      // The oldest tables have none; later versions ask for it.
      ...(base.tableUuid === "" ? [{ action: "assign-uuid" as const, uuid: context.uuid() }] : []),
      { action: "upgrade-format-version", formatVersion },
    ];
  });
}

/** Where new files of the table go (Java's `updateLocation`); those that are there stay. */
export function updateLocation(location: string): TableOperation {
  return metadataOperation("update location", (base) =>
    base.location === location ? [] : [{ action: "set-location", location }],
  );
}
