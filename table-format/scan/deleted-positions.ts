import { limitConcurrency } from "../io/concurrent-map.ts";
import type { FileIO } from "../io/file-io.ts";
import { DELETE_FILES_AT_ONCE } from "../limits.ts";
import type { DataFile, LiveFile } from "../manifest/data-file.ts";
import { isDeletionVector, readDeletionVectors } from "../puffin/deletion-vector.ts";
import { RoaringBitmap } from "../puffin/roaring.ts";
import { readPositionDeletes } from "./position-deletes.ts";

/** Reads which rows of data files are deleted. */
export interface DeletedPositions {
  /**
   * Positions that the given delete files (as a plan names them) take from a data file. Ask for many files before awaiting any:
   * vectors asked for together are read together.
   */
  of(dataFile: DataFile, deletes: readonly LiveFile[]): Promise<RoaringBitmap>;
}

/** A reader that loads each position delete file once, however many data files it is about. */
export function deletedPositions(io: FileIO): DeletedPositions {
  const vector = batched<DataFile, RoaringBitmap>((files) => readDeletionVectors(io, files));
  const read = limitConcurrency(DELETE_FILES_AT_ONCE, (file: DataFile) => readPositionDeletes(io, file));
  const loaded = new Map<string, Promise<ReadonlyMap<string, RoaringBitmap>>>();
  const positionDeletes = (file: DataFile): Promise<ReadonlyMap<string, RoaringBitmap>> => {
    const known = loaded.get(file.filePath);
    if (known !== undefined) return known;
    const loading = read(file);
    loaded.set(file.filePath, loading);
    return loading;
  };
  return {
    of: async (dataFile, deletes) => {
      const parts = await Promise.all(
        deletes.map(async ({ file }) => {
          if (isDeletionVector(file)) return vector(file);
          return (await positionDeletes(file)).get(dataFile.filePath);
        }),
      );
      const [first = new RoaringBitmap(), ...others] = parts.filter((part) => part !== undefined);
      return others.reduce((all, part) => all.union(part), first);
    },
  };
}

/** Joins the calls of one turn into one call. */
function batched<T, R>(run: (items: readonly T[]) => Promise<readonly R[]>): (item: T) => Promise<R> {
  let items: T[] = [];
  let turn: Promise<readonly R[]> | null = null;
  return async (item) => {
    const index = items.push(item) - 1;
    turn ??= Promise.resolve().then(() => {
      const batch = items;
      items = [];
      turn = null;
      return run(batch);
    });
    return (await turn)[index] as R;
  };
}
