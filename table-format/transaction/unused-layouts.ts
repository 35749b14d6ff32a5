import { mapConcurrently } from "../io/concurrent-map.ts";
import { MANIFESTS_AT_ONCE } from "../limits.ts";
import { readManifestList } from "../manifest/manifest-list.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import type { TableUpdate } from "../metadata/updates.ts";
import { nestedFields } from "../schema/schema.ts";
import type { Schema } from "../schema/types.ts";
import type { OperationAttempt } from "./operation.ts";

/**
 * Takes away the schemas and partition specs that no snapshot is left of (Java's `cleanExpiredMetadata`). Beyond Java, a schema stays that
 * alone knows a column: partitions of old files and equality deletes may go by one that was dropped.
 * @param removals what the same commit takes away
 */
export async function unusedLayouts(
  { context, base }: Pick<OperationAttempt, "context" | "base">,
  removals: readonly TableUpdate[],
): Promise<TableUpdate[]> {
  const gone = new Set(removals.flatMap((update) => (update.action === "remove-snapshots" ? update.snapshotIds : [])));
  const kept = base.snapshots.filter(({ snapshotId }) => !gone.has(snapshotId));
  const schemaIds = unusedSchemas(base, new Set([base.currentSchemaId, ...kept.map(({ schemaId }) => schemaId)]));
  const specIds: number[] = [];
  if (base.partitionSpecs.length > 1) {
    const used = new Set([base.defaultSpecId]);
    await mapConcurrently(kept, MANIFESTS_AT_ONCE, async (snapshot) => {
      for (const { specId } of await readManifestList(context.io, snapshot)) used.add(specId);
    });
    specIds.push(...base.partitionSpecs.map(({ specId }) => specId).filter((specId) => !used.has(specId)));
  }
  return [
    ...(specIds.length === 0 ? [] : [{ action: "remove-partition-specs" as const, specIds }]),
    ...(schemaIds.length === 0 ? [] : [{ action: "remove-schemas" as const, schemaIds }]),
  ];
}

function unusedSchemas({ schemas }: TableMetadata, used: ReadonlySet<number | null>): number[] {
  const idsOf = (schema: Schema): number[] => [...nestedFields(schema.fields)].map(({ id }) => id);
  const known = new Set(schemas.filter(({ schemaId }) => used.has(schemaId)).flatMap(idsOf));
  const unused: number[] = [];
  // The newest one that holds a column has its last name and type.
  for (const schema of schemas.toSorted((a, b) => b.schemaId - a.schemaId)) {
    if (used.has(schema.schemaId)) continue;
    const ids = idsOf(schema);
    if (ids.every((id) => known.has(id))) unused.push(schema.schemaId);
    else for (const id of ids) known.add(id);
  }
  return unused.toSorted((a, b) => a - b);
}
