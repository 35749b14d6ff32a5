import { visitAvroRows } from "../avro/container.ts";
import type { AvroValue } from "../avro/decoder.ts";
import type { AvroType } from "../avro/schema.ts";
import { FrazilError } from "../errors.ts";
import type { FileIO } from "../io/file-io.ts";
import { specById } from "../metadata/refs.ts";
import type { PartitionSpec, TableMetadata } from "../metadata/table-metadata.ts";
import type { PrimitiveType } from "../schema/types.ts";
import { AvroRow } from "./avro-row.ts";
import type { DataFile, Value } from "./data-file.ts";
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
  const entries: ManifestEntry[] = [];
  const firstRowIdOf = rowIds(manifest);
  visitAvroRows(bytes, manifest.path, (schema, readRow) => {
    const read = entryReader(schema, metadata, manifest);
    return (cursor) => {
      const entry = read(readRow(cursor) as readonly AvroValue[]);
      entries.push(withRowId(entry, firstRowIdOf(entry.status, entry.file.recordCount, entry.file.firstRowId)));
    };
  });
  return entries;
}

/** The entry with the first row id that its data file has or inherits. */
export function withRowId(entry: ManifestEntry, firstRowId: bigint | null): ManifestEntry {
  return entry.file.firstRowId === firstRowId ? entry : { ...entry, file: { ...entry.file, firstRowId } };
}

/** Gives the first row id of each data file, asked in the order of the entries (spec, "First Row ID Inheritance"). */
export function rowIds(
  manifest: ManifestFile,
): (status: EntryStatus, recordCount: bigint, own: bigint | null) => bigint | null {
  let nextRowId = manifest.firstRowId;
  return (status, recordCount, own) => {
    if (nextRowId === null || manifest.content !== "data") return null;
    if (own !== null || status === "deleted") return own;
    const firstRowId = nextRowId;
    nextRowId += recordCount;
    return firstRowId;
  };
}

/** Makes a decoded row of a manifest an entry, with what it inherits; its first row id is the one that it states. */
export function entryReader(
  schema: AvroType,
  metadata: TableMetadata,
  manifest: ManifestFile,
): (row: readonly AvroValue[]) => ManifestEntry {
  const entry = new AvroRow(schema, manifest.path);
  const spec = specById(metadata, manifest.specId);
  const readFile = dataFileReader(
    new AvroRow(entry.typeOf(2), manifest.path),
    spec,
    partitionTypes(spec, schemasCurrentFirst(metadata)),
    manifest,
  );
  // Format version 1 has no sequence numbers: all its files count as 0, whatever their status.
  const hasSequenceNumbers = entry.has(3);
  return (row) => {
    entry.values = row;
    const status = statusOf(entry, manifest);
    const file = readFile(entry.required(2, entry.items(2)));
    const inherited = hasSequenceNumbers && (status === "added" || manifest.sequenceNumber === 0n);
    const sequence = (id: number): bigint => {
      if (!hasSequenceNumbers) return 0n;
      return (
        (inherited ? (entry.long(id) ?? manifest.sequenceNumber) : entry.long(id)) ?? missing(id, status, manifest)
      );
    };
    return {
      status,
      snapshotId: entry.long(1) ?? manifest.addedSnapshotId,
      sequenceNumber: sequence(3),
      fileSequenceNumber: sequence(4),
      file,
    };
  };
}

/** Status (0) of an entry. */
export function statusOf(entry: AvroRow, manifest: ManifestFile): EntryStatus {
  return STATUSES[entry.int(0) ?? -1] ?? unknownValue(manifest, "status", entry.int(0));
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
  const partitionOf = partitionReader(row, spec, types, manifest);
  return (values) => {
    row.values = values;
    return {
      content: CONTENTS[row.int(134) ?? 0] ?? unknownValue(manifest, "content", row.int(134)),
      filePath: row.required(100, row.string(100)),
      fileFormat: formatOf(row.required(101, row.string(101)), manifest),
      specId: spec.specId,
      partition: partitionOf(),
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

/** Reads the partition values of the data file that a row stands at. */
export function partitionReader(
  row: AvroRow,
  spec: PartitionSpec,
  types: readonly (PrimitiveType | null)[],
  manifest: ManifestFile,
): () => (Value | null)[] {
  const partition = new AvroRow(row.typeOf(PARTITION_ID), manifest.path);
  const fields = spec.fields.map(({ fieldId, name }, i) => {
    return { fieldId, type: types[i] ?? null, where: `${manifest.path}: partition field ${name}` };
  });
  return () => {
    partition.values = row.required(PARTITION_ID, row.items(PARTITION_ID));
    return fields.map(({ fieldId, type, where }) => partitionFromAvro(type, partition.value(fieldId), where));
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
