import { visitAvroRows } from "../avro/container.ts";
import { type AvroDecoder, type AvroValue, compileDecoder, type FieldPart } from "../avro/decoder.ts";
import type { AvroType } from "../avro/schema.ts";
import type { FileIO } from "../io/file-io.ts";
import { specById } from "../metadata/refs.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import { AvroRow } from "./avro-row.ts";
import type { FileStatistics } from "./data-file.ts";
import { isLive, type ManifestEntry, type ManifestFile } from "./manifest-file.ts";
import { entryReader, partitionReader, rowIds, schemasCurrentFirst, statusOf, withRowId } from "./manifest-reader.ts";
import { partitionTypes } from "./partition-avro.ts";

/** Picks files by their statistics. Made once for a plan: what it costs to read a schema's statistics is paid once. */
export interface EntryFilter {
  mayMatch(file: FileStatistics): boolean;
  /** Reads the parts of a manifest's rows that it asks for. */
  decoderOf(schema: AvroType): AvroDecoder;
}

/** @param columns the fields whose statistics `mayMatch` asks for */
export function entryFilter(columns: ReadonlySet<number>, mayMatch: EntryFilter["mayMatch"]): EntryFilter {
  const decoders = new WeakMap<AvroType, AvroDecoder>();
  const partOf = (fieldId: number | null): FieldPart => {
    if (fieldId === null || SKIPPED.has(fieldId)) return "none";
    return STATISTICS.has(fieldId) ? columns : "all";
  };
  return {
    mayMatch,
    decoderOf(schema) {
      const decoder = decoders.get(schema) ?? compileDecoder(schema, partOf);
      decoders.set(schema, decoder);
      return decoder;
    },
  };
}

/** Value, null and NaN counts, lower and upper bounds. */
const STATISTICS: ReadonlySet<number> = new Set([109, 110, 137, 125, 128]);
/** What takes time to read and says nothing to a filter: sequence numbers, path and format, sizes of columns, places of row groups. */
const SKIPPED: ReadonlySet<number> = new Set([1, 3, 4, 100, 101, 104, 108, 131, 132, 135, 140, 143, 144, 145]);

/**
 * Reads the live entries of a manifest that a filter lets pass, as `readManifest` gives them. Of all others only the status, the
 * partition and the statistics of some columns are looked at, which takes a fraction of the time and no memory.
 * @throws FrazilError as `readManifest`
 */
export async function readMatching(
  io: FileIO,
  metadata: TableMetadata,
  manifest: ManifestFile,
  filter: EntryFilter,
): Promise<ManifestEntry[]> {
  return matchingEntries(await io.read(manifest.path), metadata, manifest, filter);
}

/** The same of a manifest's bytes. */
export function matchingEntries(
  bytes: Uint8Array,
  metadata: TableMetadata,
  manifest: ManifestFile,
  filter: EntryFilter,
): ManifestEntry[] {
  const matching: ManifestEntry[] = [];
  const firstRowIdOf = rowIds(manifest);
  visitAvroRows(bytes, manifest.path, (schema, readRow) => {
    const read = entryReader(schema, metadata, manifest);
    const readParts = filter.decoderOf(schema);
    const glance = glancer(schema, metadata, manifest);
    return (cursor) => {
      const start = cursor.position;
      const { status, file, ownRowId } = glance(readParts(cursor) as readonly AvroValue[]);
      const firstRowId = firstRowIdOf(status, file.recordCount, ownRowId);
      if (!isLive({ status }) || !filter.mayMatch(file)) return;
      cursor.moveTo(start);
      matching.push(withRowId(read(readRow(cursor) as readonly AvroValue[]), firstRowId));
    };
  });
  return matching;
}

interface Glance {
  readonly status: ManifestEntry["status"];
  readonly file: FileStatistics;
  readonly ownRowId: bigint | null;
}

function glancer(
  schema: AvroType,
  metadata: TableMetadata,
  manifest: ManifestFile,
): (row: readonly AvroValue[]) => Glance {
  const entry = new AvroRow(schema, manifest.path);
  const row = new AvroRow(entry.typeOf(2), manifest.path);
  const spec = specById(metadata, manifest.specId);
  const partitionOf = partitionReader(row, spec, partitionTypes(spec, schemasCurrentFirst(metadata)), manifest);
  return (values) => {
    entry.values = values;
    row.values = entry.required(2, entry.items(2));
    return {
      status: statusOf(entry, manifest),
      ownRowId: row.long(142),
      file: {
        specId: spec.specId,
        partition: partitionOf(),
        recordCount: row.required(103, row.long(103)),
        valueCounts: row.longMap(109),
        nullValueCounts: row.longMap(110),
        nanValueCounts: row.longMap(137),
        lowerBounds: row.bytesMap(125),
        upperBounds: row.bytesMap(128),
      },
    };
  };
}
