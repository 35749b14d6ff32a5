/** A value of a partition tuple or of a bound: the column value as JavaScript holds it exactly. Decimals are the unscaled bigint, uuid/fixed/binary bytes. */
export type Value = boolean | number | bigint | string | Uint8Array;

/** `data_file` of a manifest entry (spec, "Manifests"). Maps are keyed by field id; bounds are single-value binary. */
export interface DataFile {
  readonly content: "data" | "position-deletes" | "equality-deletes";
  readonly filePath: string;
  readonly fileFormat: "PARQUET" | "AVRO" | "ORC" | "PUFFIN";
  readonly specId: number;
  /** One value a field of the spec, null for a null partition value. */
  readonly partition: readonly (Value | null)[];
  readonly recordCount: bigint;
  readonly fileSizeBytes: bigint;
  readonly columnSizes: ReadonlyMap<number, bigint> | null;
  readonly valueCounts: ReadonlyMap<number, bigint> | null;
  readonly nullValueCounts: ReadonlyMap<number, bigint> | null;
  readonly nanValueCounts: ReadonlyMap<number, bigint> | null;
  readonly lowerBounds: ReadonlyMap<number, Uint8Array> | null;
  readonly upperBounds: ReadonlyMap<number, Uint8Array> | null;
  readonly keyMetadata: Uint8Array | null;
  readonly splitOffsets: readonly bigint[] | null;
  readonly equalityIds: readonly number[] | null;
  readonly sortOrderId: number | null;
  readonly firstRowId: bigint | null;
  /** Of a deletion vector: the data file, and where its blob lies in the Puffin file. */
  readonly referencedDataFile: string | null;
  readonly contentOffset: bigint | null;
  readonly contentSizeBytes: bigint | null;
}

/** What a filter looks at before a file counts. The maps may hold no more than the columns that the filter asks for. */
export type FileStatistics = Pick<
  DataFile,
  | "specId"
  | "partition"
  | "recordCount"
  | "valueCounts"
  | "nullValueCounts"
  | "nanValueCounts"
  | "lowerBounds"
  | "upperBounds"
>;

/** A live file of a snapshot, inherited values filled in. */
export interface LiveFile {
  readonly file: DataFile;
  readonly snapshotId: bigint;
  readonly sequenceNumber: bigint;
  readonly fileSequenceNumber: bigint;
}
