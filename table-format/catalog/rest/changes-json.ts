import { refJson, snapshotJson } from "../../metadata/snapshot-json.ts";
import { sortOrderJson, specJson } from "../../metadata/spec-json.ts";
import { statisticsJson } from "../../metadata/statistics.ts";
import type { JsonValue } from "../../metadata/table-metadata.ts";
import type { TableRequirement, TableUpdate } from "../../metadata/updates.ts";
import { schemaJson } from "../../schema/schema-json.ts";
import type { TableChange, TableIdent } from "../catalog.ts";

/** A table's name (REST spec, `TableIdentifier`). */
export function identJson({ namespace, name }: TableIdent): JsonValue {
  return { namespace, name };
}

/** A change with the table's name (REST spec, `CommitTableRequest`). */
export function changeJson({ ident, requirements, updates }: TableChange): JsonValue {
  return {
    identifier: identJson(ident),
    requirements: requirements.map(requirementJson),
    updates: updates.map(updateJson),
  };
}

/** REST spec, `TableRequirement`. */
export function requirementJson(requirement: TableRequirement): JsonValue {
  const { type } = requirement;
  switch (type) {
    case "assert-create":
      return { type };
    case "assert-table-uuid":
      return { type, uuid: requirement.uuid };
    case "assert-ref-snapshot-id":
      // Null says that there is no such ref, so it must not be left out.
      return { type, ref: requirement.ref, "snapshot-id": requirement.snapshotId };
    case "assert-last-assigned-field-id":
      return { type, "last-assigned-field-id": BigInt(requirement.lastAssignedFieldId) };
    case "assert-current-schema-id":
      return { type, "current-schema-id": BigInt(requirement.currentSchemaId) };
    case "assert-last-assigned-partition-id":
      return { type, "last-assigned-partition-id": BigInt(requirement.lastAssignedPartitionId) };
    case "assert-default-spec-id":
      return { type, "default-spec-id": BigInt(requirement.defaultSpecId) };
    case "assert-default-sort-order-id":
      return { type, "default-sort-order-id": BigInt(requirement.defaultSortOrderId) };
  }
}

/** REST spec, `TableUpdate`. */
export function updateJson(update: TableUpdate): JsonValue {
  const { action } = update;
  switch (action) {
    case "assign-uuid":
      return { action, uuid: update.uuid };
    case "upgrade-format-version":
      return { action, "format-version": BigInt(update.formatVersion) };
    case "add-schema":
      // Deprecated and counted by newer servers themselves; older ones ask for it.
      return { action, schema: schemaJson(update.schema), "last-column-id": BigInt(update.lastColumnId) };
    case "set-current-schema":
      return { action, "schema-id": BigInt(update.schemaId) };
    case "add-spec":
      return { action, spec: specJson(update.spec) };
    case "set-default-spec":
      return { action, "spec-id": BigInt(update.specId) };
    case "add-sort-order":
      return { action, "sort-order": sortOrderJson(update.sortOrder) };
    case "set-default-sort-order":
      return { action, "sort-order-id": BigInt(update.sortOrderId) };
    case "add-snapshot":
      return { action, snapshot: snapshotJson(update.snapshot) };
    case "set-snapshot-ref":
      return { action, "ref-name": update.name, ...(refJson(update.ref) as object) };
    case "remove-snapshots":
      return { action, "snapshot-ids": update.snapshotIds };
    case "remove-snapshot-ref":
      return { action, "ref-name": update.name };
    case "remove-schemas":
      return { action, "schema-ids": update.schemaIds.map(BigInt) };
    case "remove-partition-specs":
      return { action, "spec-ids": update.specIds.map(BigInt) };
    case "set-location":
      return { action, location: update.location };
    case "set-properties":
      return { action, updates: Object.fromEntries(update.updates) };
    case "remove-properties":
      return { action, removals: update.removals };
    case "set-statistics":
      return { action, "snapshot-id": update.statistics.snapshotId, statistics: statisticsJson(update.statistics) };
    case "remove-statistics":
    case "remove-partition-statistics":
      return { action, "snapshot-id": update.snapshotId };
  }
}
