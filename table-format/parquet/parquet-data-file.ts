import type { DataFile } from "../manifest/data-file.ts";
import type { EncodedFile } from "./data-file-writer.ts";

/** Where a Parquet file is, and where in its table it belongs. */
export interface DataFilePlace extends Pick<DataFile, "filePath" | "specId" | "partition"> {
  /** The table's order that the rows come in; default none. */
  readonly sortOrderId?: number | null;
}

/** The manifest entry of a Parquet data file that was just written. Its rows get their ids at the commit (spec, "First Row ID Inheritance"). */
export function parquetDataFile(
  encoded: EncodedFile,
  { filePath, specId, partition, sortOrderId = null }: DataFilePlace,
): DataFile {
  return {
    ...encoded,
    content: "data",
    filePath,
    fileFormat: "PARQUET",
    specId,
    partition,
    keyMetadata: null,
    equalityIds: null,
    sortOrderId,
    firstRowId: null,
    referencedDataFile: null,
    contentOffset: null,
    contentSizeBytes: null,
  };
}
