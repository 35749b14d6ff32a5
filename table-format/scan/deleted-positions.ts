import type { FileIO } from "../io/file-io.ts";
import type { DataFile, LiveFile } from "../manifest/data-file.ts";
import { isDeletionVector, readDeletionVector } from "../puffin/deletion-vector.ts";
import { RoaringBitmap } from "../puffin/roaring.ts";
import { readPositionDeletes } from "./position-deletes.ts";

/** Reads which rows of data files are deleted. */
export interface DeletedPositions {
  /** Positions that the given delete files (as a plan names them) take from a data file. */
  of(dataFile: DataFile, deletes: readonly LiveFile[]): Promise<RoaringBitmap>;
}

/** A reader that loads each position delete file once, however many data files it is about. */
export function deletedPositions(io: FileIO): DeletedPositions {
  const files = new Map<string, Promise<ReadonlyMap<string, RoaringBitmap>>>();
  const positionDeletes = (file: DataFile): Promise<ReadonlyMap<string, RoaringBitmap>> => {
    const known = files.get(file.filePath);
    if (known !== undefined) return known;
    const loading = readPositionDeletes(io, file);
    files.set(file.filePath, loading);
    return loading;
  };
  return {
    of: async (dataFile, deletes) => {
      const parts = await Promise.all(
        deletes.map(async ({ file }) => {
          if (isDeletionVector(file)) return readDeletionVector(io, file);
          return (await positionDeletes(file)).get(dataFile.filePath);
        }),
      );
      return parts.reduce<RoaringBitmap>(
        (all, part) => (part === undefined ? all : all.union(part)),
        new RoaringBitmap(),
      );
    },
  };
}
