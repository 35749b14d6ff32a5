import { JsonFields } from "../json/fields.ts";
import type { JsonValue, TableMetadata } from "./table-metadata.ts";
import type { StatisticsFile } from "./updates.ts";

// Statistics stay in `unknownFields` as they were read: other engines add to them what is not known here.
const TABLE = "statistics";
const PARTITIONS = "partition-statistics";

/** Where the metadata names them. */
export type StatisticsKey = typeof TABLE | typeof PARTITIONS;

/** The statistics of a table's snapshots (spec, "Table Statistics"). @throws FrazilError `corrupt` naming the member that is wrong. */
export function tableStatistics(metadata: TableMetadata): StatisticsFile[] {
  return entries(metadata, TABLE).map((entry) => ({
    snapshotId: entry.long("snapshot-id"),
    path: entry.string("statistics-path"),
    fileSizeBytes: entry.long("file-size-in-bytes"),
    footerSizeBytes: entry.long("file-footer-size-in-bytes"),
    blobs: entry.objects("blob-metadata").map((blob) => ({
      type: blob.string("type"),
      snapshotId: blob.long("snapshot-id"),
      sequenceNumber: blob.long("sequence-number"),
      fields: blob.ints("fields"),
      properties: blob.has("properties") ? Object.fromEntries(blob.strings("properties")) : {},
    })),
  }));
}

/** The files with statistics of the table or of its partitions. @throws FrazilError `corrupt` for one without a path. */
export function statisticsPaths(metadata: TableMetadata): string[] {
  return [TABLE, PARTITIONS].flatMap((key) => entries(metadata, key).map((entry) => entry.string("statistics-path")));
}

/** The unknown fields with a file in the place of the statistics that its snapshot had. */
export function withStatistics(metadata: TableMetadata, file: StatisticsFile): ReadonlyMap<string, JsonValue> {
  const gone = new Set([file.snapshotId]);
  return new Map(metadata.unknownFields).set(TABLE, [
    ...others(metadata.unknownFields.get(TABLE), gone),
    statisticsJson(file),
  ]);
}

/** The JSON form of a statistics file's entry. */
export function statisticsJson(file: StatisticsFile): JsonValue {
  return {
    "snapshot-id": file.snapshotId,
    "statistics-path": file.path,
    "file-size-in-bytes": file.fileSizeBytes,
    "file-footer-size-in-bytes": file.footerSizeBytes,
    "blob-metadata": file.blobs.map((blob) => ({
      type: blob.type,
      "snapshot-id": blob.snapshotId,
      "sequence-number": blob.sequenceNumber,
      fields: blob.fields.map(BigInt),
      properties: blob.properties,
    })),
  };
}

/** The unknown fields without the statistics of snapshots that are gone. */
export function withoutStatistics(
  { unknownFields }: TableMetadata,
  gone: ReadonlySet<bigint>,
  keys: readonly StatisticsKey[] = [TABLE, PARTITIONS],
): ReadonlyMap<string, JsonValue> {
  const left = new Map(unknownFields);
  for (const key of keys) if (left.has(key)) left.set(key, others(left.get(key), gone));
  return left;
}

function others(held: JsonValue | undefined, gone: ReadonlySet<bigint>): readonly JsonValue[] {
  const snapshotOf = (entry: JsonValue) => (entry as { readonly "snapshot-id"?: bigint } | null)?.["snapshot-id"];
  return listed(held).filter((entry) => !gone.has(snapshotOf(entry) ?? -1n));
}

function entries({ unknownFields }: TableMetadata, key: string): JsonFields[] {
  return listed(unknownFields.get(key)).map((entry, i) => new JsonFields(entry, `${key}[${i}]`));
}

function listed(held: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(held) ? (held as readonly JsonValue[]) : [];
}
