import { FrazilError } from "../errors.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import type { TableUpdate } from "../metadata/updates.ts";
import { COLUMN_MODE } from "../parquet/metrics-modes.ts";
import { columnNames } from "../schema/schema.ts";
import type { Schema } from "../schema/types.ts";

/** Properties that name a column at their end, such as `write.metadata.metrics.column.price`: Java's and their prefixes. */
const OF_COLUMN = /^(write\.metadata\.metrics|write\.parquet\.[a-z-]+)\.column\./;

/**
 * What a change of the schema does to the properties of single columns (Java's `PropertyUtil.applySchemaChanges`): they go by the column's
 * new name, or go with the column. Java refuses every change of properties while one of metrics names a column that is not there.
 */
export function columnPropertyUpdates(
  properties: TableMetadata["properties"],
  before: Schema,
  after: Schema,
): TableUpdate[] {
  const idOf = new Map([...columnNames(before)].map(([id, name]) => [name, id]));
  const nameNow = columnNames(after);
  const updates = new Map<string, string>();
  const gone: string[] = [];
  for (const [key, value] of properties) {
    const prefix = OF_COLUMN.exec(key)?.[0];
    if (prefix === undefined) continue;
    const id = idOf.get(key.slice(prefix.length));
    const name = id === undefined ? undefined : nameNow.get(id);
    if (id === undefined || key === `${prefix}${name}`) continue;
    gone.push(key);
    if (name !== undefined) updates.set(`${prefix}${name}`, value);
  }
  const removals = gone.filter((key) => !updates.has(key));
  return [
    ...(removals.length === 0 ? [] : [{ action: "remove-properties" as const, removals }]),
    ...(updates.size === 0 ? [] : [{ action: "set-properties" as const, updates }]),
  ];
}

/** @throws FrazilError kind `data` for metrics of a column that the schema lacks (Java's `MetricsConfig.validateReferencedColumns`) */
export function checkColumnProperties(updates: ReadonlyMap<string, string>, schema: Schema): void {
  const names = new Set(columnNames(schema).values());
  for (const key of updates.keys()) {
    if (!key.startsWith(COLUMN_MODE) || names.has(key.slice(COLUMN_MODE.length))) continue;
    const message = `property ${key}: expected a column, found ${JSON.stringify(key.slice(COLUMN_MODE.length))}, which the schema does not hold`;
    throw new FrazilError("data", "PROPERTY_COLUMN", message, { hint: `columns: ${[...names].join(", ")}` });
  }
}
