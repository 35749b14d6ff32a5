import { decodeAvroFile } from "../avro/container.ts";
import type { AvroValue } from "../avro/decoder.ts";

import { FrazilError } from "../errors.ts";
import type { FileIO } from "../io/file-io.ts";
import { specById } from "../metadata/refs.ts";
import type { PartitionSpec, TableMetadata } from "../metadata/table-metadata.ts";
import type { PrimitiveType } from "../schema/types.ts";
import { AvroRow } from "./avro-row.ts";
import type { DataFile } from "./data-file.ts";
import type { EntryStatus, ManifestEntry, ManifestFile } from "./manifest-file.ts";
import { CONTENT_CODES, PARTITION_ID } from "./manifest-schema.ts";
import { partitionFromAvro, partitionTypes } from "./partition-avro.ts";

/** Entries of manifests by path and first row id, which a list may give later to a manifest of format version 2. Neither changes otherwise. */
export interface ManifestCache {
  get(key: string): readonly ManifestEntry[] | undefined;
  set(key: string, entries: readonly ManifestEntry[]): void;
}

/**
 * Reads a manifest of any format version and any writer that states field ids; all entries, DELETED ones included, in order,
 * with snapshot id, sequence numbers and first row ids inherited from its manifest list entry.
 * @throws FrazilError kind `corrupt` when the file breaks the format.
 */
export async function readManifest(
  io: FileIO,
  metadata: TableMetadata,
  manifest: ManifestFile,
  cache?: ManifestCache,
): Promise<readonly ManifestEntry[]> {
  const key = manifest.firstRowId === null ? manifest.path : `${manifest.path}#${manifest.firstRowId}`;
  const known = cache?.get(key);
  if (known !== undefined) return known;
  const entries = parseManifest(await io.read(manifest.path), metadata, manifest);
  cache?.set(key, entries);
  return entries;
}

/** The table's schemas, the current one first: the order in which partition sources are looked up. */
export function schemasCurrentFirst(metadata: TableMetadata): TableMetadata["schemas"] {
  const current = metadata.schemas.filter((schema) => schema.schemaId === metadata.currentSchemaId);
  const others = metadata.schemas.filter((schema) => schema.schemaId !== metadata.currentSchemaId);
  return [...current, ...others.toReversed()];
}

/** Decodes the bytes of a manifest; see `readManifest`. */
export function parseManifest(bytes: Uint8Array, metadata: TableMetadata, manifest: ManifestFile): ManifestEntry[] {
  const file = decodeAvroFile(bytes, manifest.path);
  const entry = new AvroRow(file.schema, manifest.path);
  const dataFile = new AvroRow(entry.typeOf(2), manifest.path);
  const spec = specById(metadata, manifest.specId);
  const readFile = dataFileReader(dataFile, spec, partitionTypes(spec, schemasCurrentFirst(metadata)), manifest);
  // Format version 1 has no sequence numbers: all its files count as 0, whatever their status.
  const hasSequenceNumbers = entry.has(3);
  let nextRowId = manifest.firstRowId;
  return file.rows.map((row): ManifestEntry => {
    entry.values = row as readonly AvroValue[];
    const status = STATUSES[entry.int(0) ?? -1] ?? unknownValue(manifest, "status", entry.int(0));
    const parsed = readFile(entry.required(2, entry.items(2)));
    const inherited = hasSequenceNumbers && (status === "added" || manifest.sequenceNumber === 0n);
    const sequence = (id: number): bigint => {
      if (!hasSequenceNumbers) return 0n;
      return (
        (inherited ? (entry.long(id) ?? manifest.sequenceNumber) : entry.long(id)) ?? missing(id, status, manifest)
      );
    };
    let firstRowId: bigint | null = null;
    if (nextRowId !== null && manifest.content === "data") {
      firstRowId = parsed.firstRowId;
      if (firstRowId === null && status !== "deleted") {
        firstRowId = nextRowId;
        nextRowId += parsed.recordCount;
      }
    }
    return {
      status,
      snapshotId: entry.long(1) ?? manifest.addedSnapshotId,
      sequenceNumber: sequence(3),
      fileSequenceNumber: sequence(4),
      file: firstRowId === parsed.firstRowId ? parsed : { ...parsed, firstRowId },
    };
  });
}

const STATUSES: readonly EntryStatus[] = ["existing", "added", "deleted"];
const CONTENTS = Object.keys(CONTENT_CODES) as DataFile["content"][];
const FORMATS: readonly string[] = ["PARQUET", "AVRO", "ORC", "PUFFIN"] satisfies DataFile["fileFormat"][];

function missing(id: number, status: EntryStatus, manifest: ManifestFile): never {
  const message = `${manifest.path}: expected field ${id} of an entry with status ${status}, found null`;
  throw new FrazilError("corrupt", "MANIFEST_ENTRY", message);
}

function dataFileReader(
  row: AvroRow,
  spec: PartitionSpec,
  types: readonly (PrimitiveType | null)[],
  manifest: ManifestFile,
): (values: readonly AvroValue[]) => DataFile {
  const partition = new AvroRow(row.typeOf(PARTITION_ID), manifest.path);
  return (values) => {
    row.values = values;
    partition.values = row.required(PARTITION_ID, row.items(PARTITION_ID));
    return {
      content: CONTENTS[row.int(134) ?? 0] ?? unknownValue(manifest, "content", row.int(134)),
      filePath: row.required(100, row.string(100)),
      fileFormat: formatOf(row.required(101, row.string(101)), manifest),
      specId: spec.specId,
      partition: spec.fields.map((field, i) =>
        partitionFromAvro(
          types[i] ?? null,
          partition.value(field.fieldId),
          `${manifest.path}: partition field ${field.name}`,
        ),
      ),
      recordCount: notNegative(manifest, 103, row.required(103, row.long(103))),
      fileSizeBytes: notNegative(manifest, 104, row.required(104, row.long(104))),
      columnSizes: row.longMap(108),
      valueCounts: row.longMap(109),
      nullValueCounts: row.longMap(110),
      nanValueCounts: row.longMap(137),
      lowerBounds: row.bytesMap(125),
      upperBounds: row.bytesMap(128),
      keyMetadata: row.bytes(131),
      splitOffsets: row.longs(132),
      equalityIds: row.longs(135)?.map(Number) ?? null,
      sortOrderId: row.int(140),
      firstRowId: row.long(142),
      referencedDataFile: row.string(143),
      contentOffset: row.long(144),
      contentSizeBytes: row.long(145),
    };
  };
}

function notNegative(manifest: ManifestFile, id: number, value: bigint): bigint {
  if (value >= 0n) return value;
  const message = `${manifest.path}: field ${id} of a data file: expected a number that is not negative, found ${value}`;
  throw new FrazilError("corrupt", "MANIFEST_FIELD", message);
}

function formatOf(text: string, manifest: ManifestFile): DataFile["fileFormat"] {
  const format = text.toUpperCase();
  return FORMATS.includes(format) ? (format as DataFile["fileFormat"]) : unknownValue(manifest, "file_format", text);
}

function unknownValue(manifest: ManifestFile, field: string, found: unknown): never {
  const message = `${manifest.path}: expected a known ${field}, found ${String(found)}`;
  throw new FrazilError("unsupported", "MANIFEST_ENTRY", message);
}
