import type { LiveFile } from "../manifest/data-file.ts";
import { scopedDataFile } from "../manifest/delete-scope.ts";
import { isDeletionVector } from "../puffin/deletion-vector.ts";
import { partitionKey } from "../transaction/snapshot-summary.ts";

/** Finds the delete files that apply to a data file. */
export type DeleteIndex<T extends LiveFile> = (dataFile: LiveFile) => readonly T[];

const NONE: readonly never[] = [];

/**
 * Position deletes by what they may be about (spec, "Scan Planning"): files of the same path or partition with a sequence number that
 * is not higher. Beside a deletion vector no position delete file counts.
 */
export function positionDeleteIndex<T extends LiveFile>(deleteFiles: readonly T[]): DeleteIndex<T> {
  const byPath = new Map<string, T[]>();
  const byPartition = new Map<string, T[]>();
  for (const each of deleteFiles) {
    if (each.file.content !== "position-deletes") continue;
    const path = scopedDataFile(each.file);
    if (path === null) push(byPartition, partitionKey(each.file), each);
    else push(byPath, path, each);
  }
  if (byPath.size === 0 && byPartition.size === 0) return () => NONE;
  return ({ file, sequenceNumber }) => {
    const scoped = byPath.get(file.filePath) ?? NONE;
    const inPartition = byPartition.size === 0 ? NONE : (byPartition.get(partitionKey(file)) ?? NONE);
    // Not lower: a vector may delete rows that its own commit added.
    const applying = [...scoped, ...inPartition].filter((each) => each.sequenceNumber >= sequenceNumber);
    const vectors = applying.filter((each) => isDeletionVector(each.file));
    return vectors.length > 0 ? vectors : applying;
  };
}

/** Appends to the values of a key. */
export function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else values.push(value);
}
