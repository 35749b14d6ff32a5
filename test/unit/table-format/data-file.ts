import type { DataFile } from "../../../table-format/index.ts";

/** A data file entry with nothing but what is given. */
export function dataFile(given: Partial<DataFile>): DataFile {
  return {
    content: "data",
    filePath: "mem://t/data/f.parquet",
    fileFormat: "PARQUET",
    specId: 0,
    partition: [],
    recordCount: 10n,
    fileSizeBytes: 1000n,
    columnSizes: null,
    valueCounts: null,
    nullValueCounts: null,
    nanValueCounts: null,
    lowerBounds: null,
    upperBounds: null,
    keyMetadata: null,
    splitOffsets: null,
    equalityIds: null,
    sortOrderId: null,
    firstRowId: null,
    referencedDataFile: null,
    contentOffset: null,
    contentSizeBytes: null,
    ...given,
  };
}
