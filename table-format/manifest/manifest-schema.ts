import type { AvroValue } from "../avro/decoder.ts";
import type { AvroSchemaJson } from "../avro/schema.ts";
import { AVRO_SCHEMAS_KEPT } from "../limits.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import type { DataFile } from "./data-file.ts";

/** The versions that are written. */
export type FormatVersion = TableMetadata["formatVersion"];

/** One column of a manifest's Avro schema, and how a written value is taken from `T`. */
export interface AvroColumn<T> {
  readonly id: number;
  readonly name: string;
  readonly type: AvroSchemaJson;
  readonly required: boolean;
  /** Format versions that have the column. */
  readonly since: FormatVersion;
  readonly until?: FormatVersion;
  readonly value: (row: T) => AvroValue;
}

/** An Avro record field with its Iceberg id; optional fields are unions with null. */
export function fieldJson(id: number, name: string, type: AvroSchemaJson, required: boolean): AvroSchemaJson {
  return required ? { name, type, "field-id": id } : { name, type: ["null", type], default: null, "field-id": id };
}

/** The columns that a format version has. */
export function columnsOf<T>(columns: readonly AvroColumn<T>[], formatVersion: FormatVersion): AvroColumn<T>[] {
  return columns.filter(({ since, until = 3 }) => since <= formatVersion && formatVersion <= until);
}

/** Avro has no maps with int keys: Iceberg writes arrays of key-value records (spec, Appendix A). */
function mapJson(keyId: number, valueId: number, value: string): AvroSchemaJson {
  return {
    type: "array",
    items: {
      type: "record",
      name: `k${keyId}_v${valueId}`,
      fields: [fieldJson(keyId, "key", "int", true), fieldJson(valueId, "value", value, true)],
    },
    logicalType: "map",
  };
}

function listJson(elementId: number, items: string): AvroSchemaJson {
  return { type: "array", items, "element-id": elementId };
}

function mapRows(map: ReadonlyMap<number, bigint | Uint8Array> | null): AvroValue {
  return map === null ? null : [...map];
}

/** Codes of `content` (134); deletion vectors are position deletes. */
export const CONTENT_CODES: Readonly<Record<DataFile["content"], number>> = {
  data: 0,
  "position-deletes": 1,
  "equality-deletes": 2,
};

/** Id of the partition record, whose type depends on the spec. */
export const PARTITION_ID = 102;

/** What Java gives as `block_size_in_bytes`, which version 1 requires and nobody reads. */
const BLOCK_SIZE_BYTES = 64n * 1024n * 1024n;

/** `data_file` (spec, "Manifests") in the order in which Java writes it; `partition` stands after `file_format`. */
export const DATA_FILE_COLUMNS: readonly AvroColumn<DataFile>[] = [
  { ...column(134, "content", "int", true, (file) => CONTENT_CODES[file.content]), since: 2 },
  column(100, "file_path", "string", true, (file) => file.filePath),
  column(101, "file_format", "string", true, (file) => file.fileFormat),
  column(103, "record_count", "long", true, (file) => file.recordCount),
  column(104, "file_size_in_bytes", "long", true, (file) => file.fileSizeBytes),
  { ...column(105, "block_size_in_bytes", "long", true, () => BLOCK_SIZE_BYTES), until: 1 },
  column(108, "column_sizes", mapJson(117, 118, "long"), false, (file) => mapRows(file.columnSizes)),
  column(109, "value_counts", mapJson(119, 120, "long"), false, (file) => mapRows(file.valueCounts)),
  column(110, "null_value_counts", mapJson(121, 122, "long"), false, (file) => mapRows(file.nullValueCounts)),
  column(137, "nan_value_counts", mapJson(138, 139, "long"), false, (file) => mapRows(file.nanValueCounts)),
  column(125, "lower_bounds", mapJson(126, 127, "bytes"), false, (file) => mapRows(file.lowerBounds)),
  column(128, "upper_bounds", mapJson(129, 130, "bytes"), false, (file) => mapRows(file.upperBounds)),
  column(131, "key_metadata", "bytes", false, (file) => file.keyMetadata),
  column(132, "split_offsets", listJson(133, "long"), false, (file) => file.splitOffsets),
  { ...column(135, "equality_ids", listJson(136, "int"), false, (file) => file.equalityIds), since: 2 },
  column(140, "sort_order_id", "int", false, (file) => file.sortOrderId),
  { ...column(142, "first_row_id", "long", false, (file) => file.firstRowId), since: 3 },
  { ...column(143, "referenced_data_file", "string", false, (file) => file.referencedDataFile), since: 2 },
  { ...column(144, "content_offset", "long", false, (file) => file.contentOffset), since: 3 },
  { ...column(145, "content_size_in_bytes", "long", false, (file) => file.contentSizeBytes), since: 3 },
];

function column(
  id: number,
  name: string,
  type: AvroSchemaJson,
  required: boolean,
  value: (file: DataFile) => AvroValue,
): AvroColumn<DataFile> {
  return { id, name, type, required, since: 1, value };
}

/** Schemas of manifests by version and partition record: the same object each time, which the encoder knows again. */
const schemas = new Map<string, AvroSchemaJson>();

/** The schema of a manifest. Readers look the record's name up: it must be `manifest_entry`. */
export function manifestEntryJson(formatVersion: FormatVersion, partition: AvroSchemaJson): AvroSchemaJson {
  const key = `${formatVersion} ${JSON.stringify(partition)}`;
  const known = schemas.get(key);
  if (known !== undefined) return known;
  const schema = newEntryJson(formatVersion, partition);
  if (schemas.size >= AVRO_SCHEMAS_KEPT) schemas.clear();
  schemas.set(key, schema);
  return schema;
}

function newEntryJson(formatVersion: FormatVersion, partition: AvroSchemaJson): AvroSchemaJson {
  const columns = columnsOf(DATA_FILE_COLUMNS, formatVersion);
  const fileFields = columns.map((each) => fieldJson(each.id, each.name, each.type, each.required));
  fileFields.splice(partitionPlace(columns), 0, fieldJson(PARTITION_ID, "partition", partition, true));
  return {
    type: "record",
    name: "manifest_entry",
    fields: [
      fieldJson(0, "status", "int", true),
      // Inherited since version 2, as sequence numbers are, which version 1 does not have.
      fieldJson(1, "snapshot_id", "long", formatVersion === 1),
      ...(formatVersion === 1
        ? []
        : [fieldJson(3, "sequence_number", "long", false), fieldJson(4, "file_sequence_number", "long", false)]),
      fieldJson(2, "data_file", { type: "record", name: "r2", fields: fileFields }, true),
    ],
  };
}

/** Place of the partition record among the data file's fields. */
export function partitionPlace(columns: readonly AvroColumn<DataFile>[]): number {
  return columns.findIndex(({ name }) => name === "file_format") + 1;
}
