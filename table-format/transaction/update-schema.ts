import { FrazilError } from "../errors.ts";
import { currentSchema } from "../metadata/refs.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import type { TableUpdate } from "../metadata/updates.ts";
import { parseTransform } from "../partition/transform.ts";
import { changedNameMapping, NAME_MAPPING_PROPERTY } from "../schema/name-mapping.ts";
import { fieldById } from "../schema/schema.ts";
import { sameSchema } from "../schema/schema-json.ts";
import type { Schema } from "../schema/types.ts";
import { columnPropertyUpdates } from "./column-properties.ts";
import { metadataOperation } from "./manage-snapshots.ts";
import type { TableOperation } from "./operation.ts";
import { changeSchema, type SchemaChange } from "./schema-changes.ts";

/**
 * Changes the table's schema (Java's `updateSchema`): files stay as they are, for columns are found by their ids. The table's name
 * mapping, if it has one, learns the new names, and properties of single columns (metrics, bloom filters) go by them.
 *
 * The commit throws `config` or `data` naming the column; `data` too for a column that the partition spec or the sort order reads.
 */
export function updateSchema(
  changes: readonly SchemaChange[],
  options: { readonly allowIncompatibleChanges?: boolean } = {},
): TableOperation {
  return schemaOperation("update schema", () => changes, options);
}

/** A change of the schema that follows from the schema that there is. */
export function schemaOperation(
  name: string,
  changesOf: (current: Schema) => readonly SchemaChange[],
  options: { readonly allowIncompatibleChanges?: boolean } = {},
): TableOperation {
  return metadataOperation(name, (base) => {
    const current = currentSchema(base);
    const { schema, lastColumnId } = changeSchema(current, base.lastColumnId, changesOf(current), {
      formatVersion: base.formatVersion,
      allowIncompatibleChanges: options.allowIncompatibleChanges ?? false,
    });
    if (sameSchema(schema, current)) return [];
    checkSources(base, current, schema);
    const updates: TableUpdate[] = [
      { action: "add-schema", schema, lastColumnId },
      { action: "set-current-schema", schemaId: -1 },
    ];
    const mapping = changedNameMapping(base.properties, schema);
    if (mapping !== null) {
      updates.push({ action: "set-properties", updates: new Map([[NAME_MAPPING_PROPERTY, mapping]]) });
    }
    updates.push(...columnPropertyUpdates(base.properties, current, schema));
    return updates;
  });
}

/** What the metadata itself does not check: sort orders, and promotions that would give other partition values. */
function checkSources(base: TableMetadata, before: Schema, after: Schema): void {
  const order = base.sortOrders.find(({ orderId }) => orderId === base.defaultSortOrderId);
  for (const { sourceId } of order?.fields ?? []) {
    if (fieldById(after, sourceId) !== null) continue;
    const name = fieldById(before, sourceId)?.name ?? sourceId;
    throw new FrazilError("data", "SORT_SOURCE", `column ${name} cannot be deleted: the table's sort order reads it`, {
      hint: "replace the sort order in the same commit, before it",
    });
  }
  for (const field of base.partitionSpecs.flatMap(({ fields }) => fields)) {
    const [old, now] = [fieldById(before, field.sourceId), fieldById(after, field.sourceId)];
    if (old === null || now === null || old.type.kind !== "date" || now.type.kind === "date") continue;
    const { kind } = parseTransform(field.transform);
    if (kind === "void" || kind === "year" || kind === "month" || kind === "day") continue;
    const message = `column ${now.name} cannot become a timestamp: partition field ${field.name} would have other values`;
    throw new FrazilError("data", "PARTITION_SOURCE", message);
  }
}
