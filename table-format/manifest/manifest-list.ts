import { decodeAvroFile, encodeAvroFile } from "../avro/container.ts";
import type { AvroValue } from "../avro/decoder.ts";
import type { AvroSchemaJson } from "../avro/schema.ts";
import { FrazilError } from "../errors.ts";
import { mapConcurrently } from "../io/concurrent-map.ts";
import type { FileIO } from "../io/file-io.ts";
import { MANIFESTS_AT_ONCE } from "../limits.ts";
import type { Snapshot } from "../metadata/table-metadata.ts";
import { AvroRow } from "./avro-row.ts";
import type { FieldSummary, ManifestFile } from "./manifest-file.ts";
import { type AvroColumn, columnsOf, fieldJson, type FormatVersion } from "./manifest-schema.ts";

const SUMMARY_JSON: AvroSchemaJson = {
  type: "array",
  items: {
    type: "record",
    name: "r508",
    fields: [
      fieldJson(509, "contains_null", "boolean", true),
      fieldJson(518, "contains_nan", "boolean", false),
      fieldJson(510, "lower_bound", "bytes", false),
      fieldJson(511, "upper_bound", "bytes", false),
    ],
  },
  "element-id": 508,
};

/** `manifest_file` (spec, "Manifest Lists"), in Java's order of version 2. Version 1 may leave counts out, which is not done here. */
const COLUMNS: readonly AvroColumn<ManifestFile>[] = [
  column(500, "manifest_path", "string", true, (m) => m.path),
  column(501, "manifest_length", "long", true, (m) => m.lengthBytes),
  column(502, "partition_spec_id", "int", true, (m) => m.specId),
  { ...column(517, "content", "int", true, (m) => (m.content === "data" ? 0 : 1)), since: 2 },
  { ...column(515, "sequence_number", "long", true, (m) => m.sequenceNumber), since: 2 },
  { ...column(516, "min_sequence_number", "long", true, (m) => m.minSequenceNumber), since: 2 },
  column(503, "added_snapshot_id", "long", true, (m) => m.addedSnapshotId),
  column(504, "added_files_count", "int", true, (m) => m.addedFilesCount),
  column(505, "existing_files_count", "int", true, (m) => m.existingFilesCount),
  column(506, "deleted_files_count", "int", true, (m) => m.deletedFilesCount),
  column(512, "added_rows_count", "long", true, (m) => m.addedRowsCount),
  column(513, "existing_rows_count", "long", true, (m) => m.existingRowsCount),
  column(514, "deleted_rows_count", "long", true, (m) => m.deletedRowsCount),
  column(507, "partitions", SUMMARY_JSON, false, (m) => m.partitions?.map(summaryRow) ?? null),
  column(519, "key_metadata", "bytes", false, (m) => m.keyMetadata),
  { ...column(520, "first_row_id", "long", false, (m) => m.firstRowId), since: 3 },
];

function column(
  id: number,
  name: string,
  type: AvroSchemaJson,
  required: boolean,
  value: (manifest: ManifestFile) => AvroValue,
): AvroColumn<ManifestFile> {
  return { id, name, type, required, since: 1, value };
}

/** By format version; the same object each time, which the encoder knows again. */
const SCHEMAS: Readonly<Record<FormatVersion, AvroSchemaJson>> = {
  1: schemaJson(1),
  2: schemaJson(2),
  3: schemaJson(3),
};

function schemaJson(formatVersion: FormatVersion): AvroSchemaJson {
  const columns = columnsOf(COLUMNS, formatVersion);
  return {
    type: "record",
    name: "manifest_file",
    fields: columns.map((each) => fieldJson(each.id, each.name, each.type, each.required)),
  };
}

function summaryRow(summary: FieldSummary): AvroValue {
  return [summary.containsNull, summary.containsNan, summary.lowerBound, summary.upperBound];
}

/** Of the snapshot that the list belongs to. */
export interface ManifestListOptions {
  readonly formatVersion: FormatVersion;
  readonly snapshotId: bigint;
  readonly parentSnapshotId: bigint | null;
  /** Since v2. */
  readonly sequenceNumber: bigint;
  /** v3. */
  readonly firstRowId: bigint | null;
}

/**
 * Encodes a manifest list. Nothing is stored.
 * @throws FrazilError kind `internal` when a manifest lacks a count.
 */
export function encodeManifestList(options: ManifestListOptions, manifests: readonly ManifestFile[]): Uint8Array {
  const columns = columnsOf(COLUMNS, options.formatVersion);
  // The specification does not ask for these keys, but iceberg-go takes a list without format-version for version 1.
  const header = new Map([
    ["snapshot-id", String(options.snapshotId)],
    ["parent-snapshot-id", String(options.parentSnapshotId)],
    ...(options.formatVersion === 1 ? [] : [["sequence-number", String(options.sequenceNumber)] as const]),
    ...(options.firstRowId === null ? [] : [["first-row-id", String(options.firstRowId)] as const]),
    ["format-version", String(options.formatVersion)],
  ]);
  const rows = manifests.map((manifest) =>
    columns.map((each) => {
      const value = each.value(manifest);
      if (value === null && each.required) {
        throw new FrazilError(
          "internal",
          "MANIFEST_LIST",
          `manifest ${manifest.path}: expected ${each.name}, found null`,
        );
      }
      return value;
    }),
  );
  return encodeAvroFile(SCHEMAS[options.formatVersion], header, rows);
}

/**
 * Reads the manifest list of a snapshot, of any format version; in the list's order. Of a snapshot that names its manifests itself
 * (format version 1) each is opened for its partition spec.
 */
export async function readManifestList(io: FileIO, snapshot: Snapshot): Promise<ManifestFile[]> {
  if (snapshot.manifests !== undefined) {
    return mapConcurrently(snapshot.manifests, MANIFESTS_AT_ONCE, (path) => inlineManifest(io, path, snapshot));
  }
  return parseManifestList(await io.read(snapshot.manifestList), snapshot.manifestList);
}

async function inlineManifest(io: FileIO, path: string, snapshot: Snapshot): Promise<ManifestFile> {
  const bytes = await io.read(path);
  const specId = decodeAvroFile(bytes, path).metadata.get("partition-spec-id") ?? "0";
  if (!/^\d{1,9}$/.test(specId)) {
    const message = `${path}: expected a number as partition-spec-id, found ${JSON.stringify(specId)}`;
    throw new FrazilError("corrupt", "MANIFEST_HEADER", message);
  }
  return {
    path,
    lengthBytes: BigInt(bytes.length),
    specId: Number(specId),
    content: "data",
    sequenceNumber: 0n,
    minSequenceNumber: 0n,
    addedSnapshotId: snapshot.snapshotId,
    addedFilesCount: null,
    existingFilesCount: null,
    deletedFilesCount: null,
    addedRowsCount: null,
    existingRowsCount: null,
    deletedRowsCount: null,
    partitions: null,
    keyMetadata: null,
    firstRowId: null,
  };
}

/** Decodes the bytes of a manifest list; see `readManifestList`. */
export function parseManifestList(bytes: Uint8Array, location: string): ManifestFile[] {
  const file = decodeAvroFile(bytes, location);
  const row = new AvroRow(file.schema, location);
  const summary = row.has(507) ? new AvroRow(row.typeOf(507), location) : null;
  return file.rows.map((values): ManifestFile => {
    row.values = values as readonly AvroValue[];
    return {
      path: row.required(500, row.string(500)),
      lengthBytes: row.required(501, row.long(501)),
      specId: row.required(502, row.int(502)),
      content: row.int(517) === 1 ? "deletes" : "data",
      sequenceNumber: row.long(515) ?? 0n,
      minSequenceNumber: row.long(516) ?? 0n,
      addedSnapshotId: row.required(503, row.long(503)),
      addedFilesCount: row.int(504),
      existingFilesCount: row.int(505),
      deletedFilesCount: row.int(506),
      addedRowsCount: row.long(512),
      existingRowsCount: row.long(513),
      deletedRowsCount: row.long(514),
      partitions: summary === null ? null : readSummaries(row, summary),
      keyMetadata: row.bytes(519),
      firstRowId: row.long(520),
    };
  });
}

function readSummaries(row: AvroRow, summary: AvroRow): FieldSummary[] | null {
  const values = row.items(507);
  if (values === null) return null;
  return values.map((each): FieldSummary => {
    summary.values = each as readonly AvroValue[];
    return {
      containsNull: summary.boolean(509) ?? true,
      containsNan: summary.boolean(518),
      lowerBound: summary.bytes(510),
      upperBound: summary.bytes(511),
    };
  });
}
