import { gunzip } from "../codec/decompress.ts";
import { FrazilError } from "../errors.ts";
import { parseJson } from "../json/exact-json.ts";
import { JsonFields } from "../json/fields.ts";
import { MAX_METADATA_BYTES } from "../limits.ts";
import { parseSchema } from "../schema/schema-json.ts";
import { FIRST_PARTITION_ID } from "../partition/spec.ts";
import { isGzipped } from "./metadata-name.ts";
import { parseRef, parseSnapshot } from "./snapshot-json.ts";
import { METADATA_ELEMENTS, ReadLogEntry, ReadSnapshot } from "./snapshot-reader.ts";
import { parseSortOrder, parseSpec, parseSpecFields } from "./spec-json.ts";
import type { JsonValue, PartitionSpec, SnapshotRef, SortOrder, TableMetadata } from "./table-metadata.ts";
import { checkMetadata } from "./validate.ts";

/** The newest version that this library reads and writes. */
const MAX_FORMAT_VERSION = 3;

const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  "format-version",
  "table-uuid",
  "location",
  "last-sequence-number",
  "last-updated-ms",
  "last-column-id",
  "schema",
  "current-schema-id",
  "schemas",
  "partition-spec",
  "default-spec-id",
  "partition-specs",
  "last-partition-id",
  "default-sort-order-id",
  "sort-orders",
  "properties",
  "current-snapshot-id",
  "next-row-id",
  "refs",
  "snapshots",
  "snapshot-log",
  "metadata-log",
]);

/**
 * Reads a table metadata file (spec, "Table Metadata Fields"), versions 1 to 3. Whether it is compressed is decided by its name
 * (`.gz.metadata.json`, `.metadata.json.gz`), as all readers do. What is made of the bytes keeps them, so they must stay as they are.
 * @throws FrazilError `unsupported` for later versions and encrypted tables, `corrupt` for what Java would refuse to load.
 */
export function parseTableMetadata(bytes: Uint8Array, location: string): TableMetadata {
  return named(location, () => checked(parseJson(plainBytes(bytes, location), METADATA_ELEMENTS), location));
}

/**
 * The same for metadata that a catalog's answer holds.
 * @param location of the metadata file, for messages.
 */
export function tableMetadataOf(json: JsonValue, location: string): TableMetadata {
  return named(location, () => checked(json, location));
}

function checked(json: JsonValue, location: string): TableMetadata {
  const metadata = fromJson(new JsonFields(json, ""));
  checkMetadata(metadata, location);
  return metadata;
}

/** Puts the file's name before the message of what goes wrong in it. */
function named(location: string, read: () => TableMetadata): TableMetadata {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FrazilError) || error.message.startsWith(location)) throw error;
    throw new FrazilError(error.kind, error.code, `${location}: ${error.message}`, { hint: error.hint, cause: error });
  }
}

function plainBytes(bytes: Uint8Array, location: string): Uint8Array {
  try {
    if (isGzipped(location)) return gunzip(bytes, MAX_METADATA_BYTES);
  } catch (cause) {
    throw unreadable(location, cause);
  }
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) throw unreadable(location);
  return bytes;
}

function unreadable(location: string, cause?: unknown): FrazilError {
  const message = `${location}: expected a metadata file in UTF-8, compressed exactly if its name says gz`;
  return new FrazilError("corrupt", "UNREADABLE_METADATA", message, { cause });
}

function fromJson(json: JsonFields): TableMetadata {
  const formatVersion = json.int("format-version");
  if (formatVersion < 1 || formatVersion > MAX_FORMAT_VERSION) {
    const message = `format version ${formatVersion}: this version of frazil reads 1 to ${MAX_FORMAT_VERSION}`;
    throw new FrazilError("unsupported", "FORMAT_VERSION", message);
  }
  if (json.has("encryption-keys") && json.array("encryption-keys").length > 0) {
    throw new FrazilError("unsupported", "ENCRYPTED_TABLE", "encrypted tables are not supported");
  }
  const v1 = formatVersion === 1;
  const schemas = json.has("schemas") || !v1 ? json.objects("schemas").length : 0;
  const partitionSpecs = specsOf(json, v1);
  const currentSnapshotId = currentSnapshotOf(json);
  return {
    formatVersion: formatVersion as 1 | 2 | 3,
    tableUuid: v1 && !json.has("table-uuid") ? "" : json.string("table-uuid"),
    location: json.string("location"),
    lastSequenceNumber: v1 ? 0n : json.long("last-sequence-number"),
    lastUpdatedMs: json.long("last-updated-ms"),
    lastColumnId: json.int("last-column-id"),
    currentSchemaId: schemas === 0 ? 0 : json.int("current-schema-id"),
    schemas:
      schemas === 0
        ? [parseSchema(json.get("schema"))]
        : json.array("schemas").map((schema, i) => parseSchema(schema, `schemas[${i}]`)),
    defaultSpecId: v1 && !json.has("default-spec-id") ? 0 : json.int("default-spec-id"),
    partitionSpecs,
    lastPartitionId:
      v1 && !json.has("last-partition-id") ? highestPartitionId(partitionSpecs) : json.int("last-partition-id"),
    defaultSortOrderId: v1 && !json.has("default-sort-order-id") ? 0 : json.int("default-sort-order-id"),
    sortOrders: sortOrdersOf(json, v1),
    properties: json.has("properties") ? json.strings("properties") : new Map(),
    currentSnapshotId,
    nextRowId: formatVersion >= 3 ? json.long("next-row-id") : 0n,
    refs: refsOf(json, currentSnapshotId),
    snapshots: listOf(json, "snapshots", ReadSnapshot, parseSnapshot),
    snapshotLog: listOf(json, "snapshot-log", ReadLogEntry, (entry) => ({
      timestampMs: entry.long("timestamp-ms"),
      snapshotId: entry.long("snapshot-id"),
    })),
    metadataLog: listOf(json, "metadata-log", null, (entry) => ({
      timestampMs: entry.long("timestamp-ms"),
      metadataFile: entry.string("metadata-file"),
    })),
    unknownFields: new Map(
      json
        .keys()
        .filter((key) => !KNOWN_FIELDS.has(key))
        .map((key) => [key, json.get(key) as JsonValue]),
    ),
  };
}

/** Java writes -1 (v1, v2) or null (v3) for a table without snapshots; others leave it out. */
function currentSnapshotOf(json: JsonFields): bigint | null {
  if (!json.has("current-snapshot-id")) return null;
  const id = json.long("current-snapshot-id");
  return id === -1n ? null : id;
}

function refsOf(json: JsonFields, currentSnapshotId: bigint | null): ReadonlyMap<string, SnapshotRef> {
  if (json.has("refs")) {
    const refs = json.object("refs");
    return new Map(refs.keys().map((name) => [name, parseRef(refs.object(name))]));
  }
  if (currentSnapshotId === null) return new Map();
  return new Map([["main", { snapshotId: currentSnapshotId, type: "branch" }]]);
}

function specsOf(json: JsonFields, v1: boolean): PartitionSpec[] {
  if (!v1 || json.has("partition-specs")) return json.objects("partition-specs").map(parseSpec);
  return [{ specId: 0, fields: json.has("partition-spec") ? parseSpecFields(json.objects("partition-spec")) : [] }];
}

function highestPartitionId(specs: readonly PartitionSpec[]): number {
  const ids = specs.flatMap((spec) => spec.fields.map((field) => field.fieldId));
  return Math.max(FIRST_PARTITION_ID - 1, ...ids);
}

function sortOrdersOf(json: JsonFields, v1: boolean): SortOrder[] {
  if (v1 && !json.has("sort-orders")) return [{ orderId: 0, fields: [] }];
  return json.objects("sort-orders").map(parseSortOrder);
}

/** An array of objects, of which some may have been read as they were met. */
function listOf<T extends object>(
  json: JsonFields,
  key: string,
  read: (new (...args: never[]) => NoInfer<T>) | null,
  parse: (fields: JsonFields) => T,
): T[] {
  if (!json.has(key)) return [];
  return json.array(key).map((value: unknown, i) => {
    if (read !== null && value instanceof read) return value;
    return parse(new JsonFields(value as JsonValue, `${json.path(key)}[${i}]`));
  });
}
