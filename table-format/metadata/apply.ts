import { FrazilError } from "../errors.ts";
import {
  addSchema,
  addSortOrder,
  addSpec,
  checkLayout,
  removeSchemas,
  removeSpecs,
  setCurrentSchema,
  setDefaultSortOrder,
  setDefaultSpec,
} from "./apply-layout.ts";
import {
  addSnapshot,
  checkRefs,
  logMain,
  removeRef,
  removeSnapshots,
  removeStatistics,
  setRef,
  setStatistics,
} from "./apply-snapshots.ts";
import { change, type Draft, invalid, newDraft } from "./draft.ts";
import type { TableMetadata } from "./table-metadata.ts";
import type { TableRequirement, TableUpdate } from "./updates.ts";
import { metadataFlaw } from "./validate.ts";

/** How metadata files are compressed: `none` (the default) or `gzip`, as in Java. */
export const METADATA_CODEC = "write.metadata.compression-codec";
const VERSIONS_MAX = "write.metadata.previous-versions-max";
const DEFAULT_VERSIONS_MAX = 100;

/** What Java derives from metadata instead of storing it. */
const RESERVED_PROPERTIES: ReadonlySet<string> = new Set([
  "format-version",
  "uuid",
  "snapshot-count",
  "current-snapshot-id",
  "current-snapshot-summary",
  "current-snapshot-timestamp-ms",
  "current-schema",
  "default-partition-spec",
  "default-sort-order",
]);

/** The first requirement that a table does not meet, or null; `metadata` null = there is no such table. */
export function checkRequirements(
  metadata: TableMetadata | null,
  requirements: readonly TableRequirement[],
): TableRequirement | null {
  return requirements.find((requirement) => !isMet(metadata, requirement)) ?? null;
}

function isMet(m: TableMetadata | null, requirement: TableRequirement): boolean {
  if (requirement.type === "assert-create") return m === null;
  if (m === null) return false;
  switch (requirement.type) {
    case "assert-table-uuid":
      return m.tableUuid.toLowerCase() === requirement.uuid.toLowerCase();
    case "assert-ref-snapshot-id":
      return (m.refs.get(requirement.ref)?.snapshotId ?? null) === requirement.snapshotId;
    case "assert-last-assigned-field-id":
      return m.lastColumnId === requirement.lastAssignedFieldId;
    case "assert-current-schema-id":
      return m.currentSchemaId === requirement.currentSchemaId;
    case "assert-last-assigned-partition-id":
      return m.lastPartitionId === requirement.lastAssignedPartitionId;
    case "assert-default-spec-id":
      return m.defaultSpecId === requirement.defaultSpecId;
    case "assert-default-sort-order-id":
      return m.defaultSortOrderId === requirement.defaultSortOrderId;
  }
}

/** The requirement as people read it. */
export function requirementText(requirement: TableRequirement): string {
  const { type, ...rest } = requirement;
  return [type, ...Object.entries(rest).map(([key, value]) => `${key}=${String(value)}`)].join(" ");
}

/**
 * The metadata after a list of updates, with snapshot log and metadata log carried on. Null = creation, which must bring a uuid,
 * a location, a schema, a spec and a sort order.
 *
 * @throws FrazilError `data` or `unsupported` for updates that are invalid whatever the state; `conflict` for those that do not fit this
 *   state of the table (old sequence number, a snapshot that is gone, removal of a snapshot that a ref names).
 */
export function applyUpdates(
  metadata: TableMetadata | null,
  updates: readonly TableUpdate[],
  context: { readonly nowMs: bigint; readonly previousMetadataLocation: string | null },
): TableMetadata {
  const draft = newDraft(metadata, context.nowMs);
  for (const update of updates) apply(draft, update);
  // The oldest tables of version 1 have none.
  if (draft.metadata.tableUuid === "" && (metadata === null || draft.metadata.formatVersion > 1)) {
    throw invalid("the table has no uuid: assign-uuid is missing");
  }
  if (draft.metadata.location === "") throw invalid("the table has no location: set-location is missing");
  checkLayout(draft.metadata);
  checkRefs(draft.metadata);
  logMain(draft);
  if (draft.metadata.lastUpdatedMs < context.nowMs) change(draft, { lastUpdatedMs: context.nowMs });
  logPrevious(draft, context.previousMetadataLocation);
  const flaw = metadataFlaw(draft.metadata);
  if (flaw !== null) throw invalid(flaw);
  return draft.metadata;
}

function apply(draft: Draft, update: TableUpdate): void {
  const { metadata } = draft;
  switch (update.action) {
    case "assign-uuid":
      if (draft.base !== null && metadata.tableUuid !== "" && metadata.tableUuid !== update.uuid) {
        throw invalid(`the table's uuid ${metadata.tableUuid} cannot be changed`);
      }
      return change(draft, { tableUuid: update.uuid });
    case "upgrade-format-version":
      return upgrade(draft, update.formatVersion);
    case "add-schema":
      return addSchema(draft, update.schema, update.lastColumnId);
    case "set-current-schema":
      return setCurrentSchema(draft, update.schemaId);
    case "add-spec":
      return addSpec(draft, update.spec);
    case "set-default-spec":
      return setDefaultSpec(draft, update.specId);
    case "add-sort-order":
      return addSortOrder(draft, update.sortOrder);
    case "set-default-sort-order":
      return setDefaultSortOrder(draft, update.sortOrderId);
    case "add-snapshot":
      return addSnapshot(draft, update.snapshot);
    case "set-snapshot-ref":
      return setRef(draft, update.name, update.ref);
    case "remove-snapshots":
      return removeSnapshots(draft, update.snapshotIds);
    case "remove-snapshot-ref":
      return removeRef(draft, update.name);
    case "remove-schemas":
      return removeSchemas(draft, update.schemaIds);
    case "remove-partition-specs":
      return removeSpecs(draft, update.specIds);
    case "set-location":
      return change(draft, { location: update.location.replace(/\/+$/, "") });
    case "set-properties":
      return setProperties(draft, update.updates);
    case "remove-properties": {
      const properties = new Map(metadata.properties);
      for (const key of update.removals) properties.delete(key);
      return change(draft, { properties });
    }
    case "set-statistics":
      return setStatistics(draft, update.statistics);
    case "remove-statistics":
      return removeStatistics(draft, "statistics", update.snapshotId);
    case "remove-partition-statistics":
      return removeStatistics(draft, "partition-statistics", update.snapshotId);
  }
}

function upgrade(draft: Draft, formatVersion: 1 | 2 | 3): void {
  const { metadata, base } = draft;
  if (formatVersion !== 1 && formatVersion !== 2 && formatVersion !== 3) {
    throw new FrazilError("unsupported", "FORMAT_VERSION", `format version ${String(formatVersion)} cannot be written`);
  }
  if (base !== null && formatVersion < metadata.formatVersion) {
    throw invalid(`format version ${metadata.formatVersion} cannot be lowered to ${formatVersion}`);
  }
  if (metadata.snapshots.some((snapshot) => snapshot.manifestList === "")) {
    throw new FrazilError("unsupported", "INLINE_MANIFESTS", "snapshots without a manifest list cannot be upgraded", {
      hint: "expire the snapshots that version 1 wrote without manifest lists, with the engine that wrote them",
    });
  }
  change(draft, { formatVersion });
}

function setProperties(draft: Draft, updates: ReadonlyMap<string, string>): void {
  for (const key of updates.keys()) {
    if (RESERVED_PROPERTIES.has(key)) throw invalid(`property ${key} is reserved: it follows from the metadata`);
  }
  const codec = updates.get(METADATA_CODEC);
  if (codec !== undefined && !/^(?:none|gzip)$/i.test(codec)) {
    throw invalid(`property ${METADATA_CODEC} is ${JSON.stringify(codec)}, expected none or gzip`);
  }
  change(draft, { properties: new Map([...draft.metadata.properties, ...updates]) });
}

/** Remembers the file that this metadata replaces, and forgets the oldest beyond `write.metadata.previous-versions-max`. */
function logPrevious(draft: Draft, previous: string | null): void {
  if (draft.base === null || previous === null) return;
  const entry = { timestampMs: draft.base.lastUpdatedMs, metadataFile: previous };
  const log = [...draft.base.metadataLog, entry];
  change(draft, { metadataLog: log.slice(-versionsMax(draft.metadata.properties)) });
}

function versionsMax(properties: ReadonlyMap<string, string>): number {
  const value = Number(properties.get(VERSIONS_MAX) ?? DEFAULT_VERSIONS_MAX);
  return Number.isSafeInteger(value) && value >= 1 ? value : DEFAULT_VERSIONS_MAX;
}

/**
 * The metadata files that `next` no longer remembers and that its properties allow to delete
 * (`write.metadata.delete-after-commit.enabled`). Only to be deleted once `next` is known to be committed.
 */
export function forgottenFiles(previous: TableMetadata, next: TableMetadata): string[] {
  if (next.properties.get("write.metadata.delete-after-commit.enabled") !== "true") return [];
  const kept = new Set(next.metadataLog.map((entry) => entry.metadataFile));
  return previous.metadataLog.map((entry) => entry.metadataFile).filter((file) => !kept.has(file));
}
