import type { TableChange, TableIdent, TableRequirement, TableUpdate } from "../../../table-format/index.ts";
import { parseSchema } from "../../../table-format/index.ts";
import { JsonFields } from "../../../table-format/json/fields.ts";
import { parseRef, parseSnapshot } from "../../../table-format/metadata/snapshot-json.ts";
import { parseSortOrder, parseSpec } from "../../../table-format/metadata/spec-json.ts";

/** A `TableIdentifier`. */
export function parseIdent(json: JsonFields): TableIdent {
  return { namespace: json.array("namespace").map(String), name: json.string("name") };
}

/** A `CommitTableRequest`. */
export function parseChange(ident: TableIdent, json: JsonFields): TableChange {
  return {
    ident,
    requirements: json.objects("requirements").map(parseRequirement),
    updates: json.objects("updates").map(parseUpdate),
  };
}

function parseRequirement(json: JsonFields): TableRequirement {
  const type = json.string("type");
  switch (type) {
    case "assert-create":
      return { type };
    case "assert-table-uuid":
      return { type, uuid: json.string("uuid") };
    case "assert-ref-snapshot-id":
      if (json.get("snapshot-id") === undefined) throw json.error("snapshot-id", "an id or null");
      return { type, ref: json.string("ref"), snapshotId: json.has("snapshot-id") ? json.long("snapshot-id") : null };
    case "assert-last-assigned-field-id":
      return { type, lastAssignedFieldId: json.int("last-assigned-field-id") };
    case "assert-current-schema-id":
      return { type, currentSchemaId: json.int("current-schema-id") };
    case "assert-last-assigned-partition-id":
      return { type, lastAssignedPartitionId: json.int("last-assigned-partition-id") };
    case "assert-default-spec-id":
      return { type, defaultSpecId: json.int("default-spec-id") };
    case "assert-default-sort-order-id":
      return { type, defaultSortOrderId: json.int("default-sort-order-id") };
  }
  throw json.error("type", "a requirement of the spec");
}

function parseUpdate(json: JsonFields): TableUpdate {
  const action = json.string("action");
  switch (action) {
    case "assign-uuid":
      return { action, uuid: json.string("uuid") };
    case "upgrade-format-version":
      return { action, formatVersion: json.int("format-version") as 1 | 2 | 3 };
    case "add-schema":
      return { action, schema: parseSchema(json.get("schema")), lastColumnId: json.int("last-column-id") };
    case "set-current-schema":
      return { action, schemaId: json.int("schema-id") };
    case "add-spec":
      return { action, spec: parseSpec(json.object("spec")) };
    case "set-default-spec":
      return { action, specId: json.int("spec-id") };
    case "add-sort-order":
      return { action, sortOrder: parseSortOrder(json.object("sort-order")) };
    case "set-default-sort-order":
      return { action, sortOrderId: json.int("sort-order-id") };
    case "add-snapshot":
      return { action, snapshot: parseSnapshot(json.object("snapshot")) };
    case "set-snapshot-ref":
      return { action, name: json.string("ref-name"), ref: parseRef(json) };
    case "remove-snapshots":
      return { action, snapshotIds: json.array("snapshot-ids") as bigint[] };
    case "remove-snapshot-ref":
      return { action, name: json.string("ref-name") };
    case "remove-schemas":
      return { action, schemaIds: json.ints("schema-ids") };
    case "remove-partition-specs":
      return { action, specIds: json.ints("spec-ids") };
    case "set-location":
      return { action, location: json.string("location") };
    case "set-properties":
      return { action, updates: json.strings("updates") };
    case "remove-properties":
      return { action, removals: json.array("removals").map(String) };
    case "set-statistics":
      return { action, statistics: parseStatistics(json.object("statistics")) };
    case "remove-statistics":
    case "remove-partition-statistics":
      return { action, snapshotId: json.long("snapshot-id") };
  }
  throw json.error("action", "an update of the spec");
}

function parseStatistics(json: JsonFields): Extract<TableUpdate, { action: "set-statistics" }>["statistics"] {
  return {
    snapshotId: json.long("snapshot-id"),
    path: json.string("statistics-path"),
    fileSizeBytes: json.long("file-size-in-bytes"),
    footerSizeBytes: json.long("file-footer-size-in-bytes"),
    blobs: json.objects("blob-metadata").map((blob) => ({
      type: blob.string("type"),
      snapshotId: blob.long("snapshot-id"),
      sequenceNumber: blob.long("sequence-number"),
      fields: blob.ints("fields"),
      properties: Object.fromEntries(blob.strings("properties")),
    })),
  };
}
