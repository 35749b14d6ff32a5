import type { TableMetadata } from "../metadata/table-metadata.ts";
import type { TableRequirement, TableUpdate } from "../metadata/updates.ts";

/**
 * What must still hold of the base for updates to take effect, as Java's `UpdateRequirements` has it: what an update moves is
 * asserted as it was. Beyond Java, a ref that is taken away is asserted too, and all refs where snapshots are, `main` also where it is
 * not there yet: a request that arrives late must not remove what a ref has been moved to since.
 */
export function requirementsFor(base: TableMetadata, updates: readonly TableUpdate[]): TableRequirement[] {
  const requirements = new Map<string, TableRequirement>();
  const require = (key: string, requirement: TableRequirement): void => {
    if (!requirements.has(key)) requirements.set(key, requirement);
  };
  const requireRef = (ref: string): void =>
    require(`ref ${ref}`, {
      type: "assert-ref-snapshot-id",
      ref,
      snapshotId: base.refs.get(ref)?.snapshotId ?? null,
    });
  const requireRefs = (): void => {
    for (const ref of ["main", ...base.refs.keys()]) requireRef(ref);
  };
  const requireSchema = (): void =>
    require("schema", { type: "assert-current-schema-id", currentSchemaId: base.currentSchemaId });
  const requireSpec = (): void =>
    require("spec", { type: "assert-default-spec-id", defaultSpecId: base.defaultSpecId });
  require("uuid", { type: "assert-table-uuid", uuid: base.tableUuid });
  for (const update of updates) {
    switch (update.action) {
      case "set-snapshot-ref":
      case "remove-snapshot-ref":
        requireRef(update.name);
        break;
      case "remove-snapshots":
        requireRefs();
        break;
      case "add-schema":
        require("field", { type: "assert-last-assigned-field-id", lastAssignedFieldId: base.lastColumnId });
        break;
      case "set-current-schema":
        requireSchema();
        break;
      // No ref may get a snapshot of an old one meanwhile.
      case "remove-schemas":
        requireSchema();
        requireRefs();
        break;
      case "remove-partition-specs":
        requireSpec();
        requireRefs();
        break;
      case "add-spec":
        require("partition", {
          type: "assert-last-assigned-partition-id",
          lastAssignedPartitionId: base.lastPartitionId,
        });
        break;
      case "set-default-spec":
        requireSpec();
        break;
      case "set-default-sort-order":
        require("order", { type: "assert-default-sort-order-id", defaultSortOrderId: base.defaultSortOrderId });
        break;
    }
  }
  return [...requirements.values()];
}
