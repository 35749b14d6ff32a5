import { encodeAvroFile } from "../avro/container.ts";
import type { AvroValue } from "../avro/decoder.ts";
import { FrazilError, must } from "../errors.ts";
import { partitionFieldsJsonText } from "../metadata/spec-json.ts";
import type { PartitionSpec } from "../metadata/table-metadata.ts";
import { schemaJsonText } from "../schema/schema-json.ts";
import type { PrimitiveType, Schema } from "../schema/types.ts";
import type { EntryStatus, ManifestContent, ManifestFile, WrittenEntry } from "./manifest-file.ts";
import {
  columnsOf,
  DATA_FILE_COLUMNS,
  type FormatVersion,
  manifestEntryJson,
  partitionPlace,
} from "./manifest-schema.ts";
import { partitionRecord, partitionToAvro, partitionTypes } from "./partition-avro.ts";
import { summarizePartitions } from "./partition-summary.ts";

export interface ManifestOptions {
  /** Where the manifest will be put: a name that nobody used before. */
  readonly location: string;
  readonly formatVersion: FormatVersion;
  readonly content: ManifestContent;
  /** Of all its files. */
  readonly spec: PartitionSpec;
  /** The table's schemas, the current one first. */
  readonly schemas: readonly Schema[];
  /** Of the snapshot that the manifest is written for; ADDED entries inherit both. In version 1 the sequence number is 0. */
  readonly snapshotId: bigint;
  readonly sequenceNumber: bigint;
}

const STATUS_CODES: Readonly<Record<EntryStatus, number>> = { existing: 0, added: 1, deleted: 2 };

/**
 * Encodes a manifest (spec, "Manifests") and describes it for the manifest list. Nothing is stored.
 * @throws FrazilError kind `unsupported` for a spec with unknown transforms, `internal` for entries that do not belong into it.
 */
export function writeManifest(
  options: ManifestOptions,
  entries: readonly WrittenEntry[],
): { readonly bytes: Uint8Array; readonly manifest: ManifestFile } {
  const { spec, formatVersion } = options;
  const schema = must(options.schemas[0], "a table has a schema");
  const types = partitionTypes(spec, options.schemas);
  const entryJson = manifestEntryJson(formatVersion, partitionRecord(spec, types));
  const knownTypes = types as PrimitiveType[];
  const columns = columnsOf(DATA_FILE_COLUMNS, formatVersion);
  for (const entry of entries) checkEntry(entry, options);

  // Writers that leave these keys out, or put an Avro schema under `schema`, are refused by other engines.
  const header = new Map([
    ["schema", schemaJsonText(schema)],
    ["schema-id", String(schema.schemaId)],
    ["partition-spec", partitionFieldsJsonText(spec)],
    ["partition-spec-id", String(spec.specId)],
    ["format-version", String(formatVersion)],
    ...(formatVersion === 1 ? [] : [["content", options.content] as const]),
  ]);
  const place = partitionPlace(columns);
  const rows = entries.map(({ status, snapshotId, sequenceNumber, fileSequenceNumber, file }): AvroValue => {
    const values = columns.map((column) => column.value(file));
    values.splice(
      place,
      0,
      knownTypes.map((type, i) => partitionToAvro(type, file.partition[i] ?? null)),
    );
    if (formatVersion === 1) return [STATUS_CODES[status], snapshotId ?? options.snapshotId, values];
    return [STATUS_CODES[status], snapshotId, sequenceNumber, fileSequenceNumber, values];
  });
  const bytes = encodeAvroFile(entryJson, header, rows);
  return { bytes, manifest: describe(options, entries, knownTypes, bytes.length) };
}

function describe(
  options: ManifestOptions,
  entries: readonly WrittenEntry[],
  types: readonly PrimitiveType[],
  length: number,
): ManifestFile {
  const files = { existing: 0, added: 0, deleted: 0 };
  const rows = { existing: 0n, added: 0n, deleted: 0n };
  let minSequenceNumber = options.sequenceNumber;
  for (const { status, sequenceNumber, file } of entries) {
    files[status] += 1;
    rows[status] += file.recordCount;
    if (status !== "deleted" && sequenceNumber !== null && sequenceNumber < minSequenceNumber) {
      minSequenceNumber = sequenceNumber;
    }
  }
  return {
    path: options.location,
    lengthBytes: BigInt(length),
    specId: options.spec.specId,
    content: options.content,
    sequenceNumber: options.sequenceNumber,
    minSequenceNumber,
    addedSnapshotId: options.snapshotId,
    addedFilesCount: files.added,
    existingFilesCount: files.existing,
    deletedFilesCount: files.deleted,
    addedRowsCount: rows.added,
    existingRowsCount: rows.existing,
    deletedRowsCount: rows.deleted,
    partitions: summarizePartitions(
      types,
      entries.map((entry) => entry.file.partition),
    ),
    keyMetadata: null,
    firstRowId: null,
  };
}

/** A wrong entry here would be a table that other engines read differently: stop before it is written. */
function checkEntry(entry: WrittenEntry, options: ManifestOptions): void {
  const { file, status } = entry;
  const fail = (expected: string, found: string): never => {
    throw new FrazilError(
      "internal",
      "MANIFEST_ENTRY",
      `manifest ${options.location}, file ${file.filePath}: expected ${expected}, found ${found}`,
    );
  };
  if (file.specId !== options.spec.specId) fail(`files of spec ${options.spec.specId}`, `spec ${file.specId}`);
  if ((file.content === "data") !== (options.content === "data")) fail(`${options.content} files`, file.content);
  if (options.formatVersion === 1 && file.content !== "data") fail("data files alone in version 1", file.content);
  if (file.partition.length !== options.spec.fields.length) {
    fail(`${options.spec.fields.length} partition values`, `${file.partition.length}`);
  }
  if (status === "added") {
    if (entry.fileSequenceNumber !== null) fail("an inherited file sequence number", String(entry.fileSequenceNumber));
  } else if (entry.snapshotId === null || entry.sequenceNumber === null || entry.fileSequenceNumber === null) {
    fail(`explicit ids and sequence numbers of a file with status ${status}`, "null");
  }
}
