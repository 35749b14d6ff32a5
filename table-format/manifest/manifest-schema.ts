import type { AvroValue } from "../avro/decoder.ts";
import type { AvroSchemaJson } from "../avro/schema.ts";
import type { DataFile } from "./data-file.ts";

/** One column of a manifest's Avro schema, and how a written value is taken from `T`. */
export interface AvroColumn<T> {
  readonly id: number;
  readonly name: string;
  readonly type: AvroSchemaJson;
  readonly required: boolean;
  /** First format version that has the column; 1 is never written. */
  readonly since: 2 | 3;
  readonly value: (row: T) => AvroValue;
}

/** An Avro record field with its Iceberg id; optional fields are unions with null. */
export function fieldJson(id: number, name: string, type: AvroSchemaJson, required: boolean): AvroSchemaJson {
  return required ? { name, type, "field-id": id } : { name, type: ["null", type], default: null, "field-id": id };
}

/** The columns that a format version has. */
export function columnsOf<T>(columns: readonly AvroColumn<T>[], formatVersion: 2 | 3): AvroColumn<T>[] {
  return columns.filter((column) => column.since <= formatVersion);
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

/** `data_file` (spec, "Manifests") in the order in which Java writes it; `partition` stands after `file_format`. */
export const DATA_FILE_COLUMNS: readonly AvroColumn<DataFile>[] = [
  column(134, "content", "int", true, (file) => CONTENT_CODES[file.content]),
  column(100, "file_path", "string", true, (file) => file.filePath),
  column(101, "file_format", "string", true, (file) => file.fileFormat),
  column(103, "record_count", "long", true, (file) => file.recordCount),
  column(104, "file_size_in_bytes", "long", true, (file) => file.fileSizeBytes),
  column(108, "column_sizes", mapJson(117, 118, "long"), false, (file) => mapRows(file.columnSizes)),
  column(109, "value_counts", mapJson(119, 120, "long"), false, (file) => mapRows(file.valueCounts)),
  column(110, "null_value_counts", mapJson(121, 122, "long"), false, (file) => mapRows(file.nullValueCounts)),
  column(137, "nan_value_counts", mapJson(138, 139, "long"), false, (file) => mapRows(file.nanValueCounts)),
  column(125, "lower_bounds", mapJson(126, 127, "bytes"), false, (file) => mapRows(file.lowerBounds)),
  column(128, "upper_bounds", mapJson(129, 130, "bytes"), false, (file) => mapRows(file.upperBounds)),
  column(131, "key_metadata", "bytes", false, (file) => file.keyMetadata),
  column(132, "split_offsets", listJson(133, "long"), false, (file) => file.splitOffsets),
  column(135, "equality_ids", listJson(136, "int"), false, (file) => file.equalityIds),
  column(140, "sort_order_id", "int", false, (file) => file.sortOrderId),
  { ...column(142, "first_row_id", "long", false, (file) => file.firstRowId), since: 3 },
  column(143, "referenced_data_file", "string", false, (file) => file.referencedDataFile),
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
  return { id, name, type, required, since: 2, value };
}

/** The schema of a manifest. Readers look the record's name up: it must be `manifest_entry`. */
export function manifestEntryJson(formatVersion: 2 | 3, partition: AvroSchemaJson): AvroSchemaJson {
  const fileFields = columnsOf(DATA_FILE_COLUMNS, formatVersion).map((each) =>
    fieldJson(each.id, each.name, each.type, each.required),
  );
  fileFields.splice(PARTITION_INDEX, 0, fieldJson(PARTITION_ID, "partition", partition, true));
  return {
    type: "record",
    name: "manifest_entry",
    fields: [
      fieldJson(0, "status", "int", true),
      fieldJson(1, "snapshot_id", "long", false),
      fieldJson(3, "sequence_number", "long", false),
      fieldJson(4, "file_sequence_number", "long", false),
      fieldJson(2, "data_file", { type: "record", name: "r2", fields: fileFields }, true),
    ],
  };
}

/** Place of the partition record among the data file's fields. */
export const PARTITION_INDEX = 3;
