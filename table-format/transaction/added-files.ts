import { FrazilError } from "../errors.ts";
import type { DataFile } from "../manifest/data-file.ts";
import { contentKey } from "../manifest/delete-scope.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import { isDeletionVector, readDeletionVectors, writeDeletionVectors } from "../puffin/deletion-vector.ts";
import type { OperationAttempt } from "./operation.ts";
import type { AddedDeleteFile } from "./snapshot-producer.ts";
import { partitionKey } from "./snapshot-summary.ts";

/**
 * Files as an operation was given them, each once, as Java's sets of files have it.
 * @throws FrazilError kind `data` for one of no partition spec of the table, or with other partition values than its spec asks for
 */
export function checkedFiles<T extends DataFile>({ partitionSpecs }: TableMetadata, files: readonly T[]): T[] {
  for (const { filePath, specId, partition } of files) {
    const spec = partitionSpecs.find((each) => each.specId === specId);
    if (spec === undefined) {
      const known = partitionSpecs.map((each) => each.specId).join(", ");
      throw new FrazilError("data", "UNKNOWN_SPEC", `${filePath}: expected partition spec ${known}, found ${specId}`);
    }
    if (partition.length === spec.fields.length) continue;
    const message = `${filePath}: expected ${spec.fields.length} partition values of spec ${specId}, found ${partition.length}`;
    throw new FrazilError("data", "PARTITION_VALUES", message);
  }
  return [...new Map(files.map((file) => [contentKey(file), file])).values()];
}

/**
 * One vector a data file: several that are added together become one in a file of its own (Java's `DVUtil.mergeAndWriteDVsIfRequired`).
 * @throws FrazilError kind `data` for vectors of one data file in two partitions
 */
export async function mergedVectors(
  { context, names }: Pick<OperationAttempt, "context" | "names">,
  deleteFiles: readonly AddedDeleteFile[],
): Promise<readonly AddedDeleteFile[]> {
  const ofDataFile = Map.groupBy(deleteFiles.filter(isDeletionVector), (file) => file.referencedDataFile ?? "");
  const doubled = [...ofDataFile].filter(([, vectors]) => vectors.length > 1);
  if (doubled.length === 0) return deleteFiles;
  const joined = await Promise.all(
    doubled.map(async ([filePath, vectors]) => {
      const [first, ...others] = vectors as [AddedDeleteFile, ...AddedDeleteFile[]];
      if (others.some((other) => partitionKey(other) !== partitionKey(first))) {
        const message = `expected deletion vectors of ${filePath} in one partition, found some in others`;
        throw new FrazilError("data", "PARTITION_VALUES", message);
      }
      const [bitmap, ...more] = await readDeletionVectors(context.io, vectors);
      return {
        dataFile: { ...first, filePath },
        bitmap: more.reduce((all, each) => all.union(each), bitmap as NonNullable<typeof bitmap>),
      };
    }),
  );
  const replaced = new Set(doubled.flatMap(([, vectors]) => vectors));
  return [
    ...deleteFiles.filter((file) => !replaced.has(file)),
    ...(await writeDeletionVectors(context.io, names.deleteFile("puffin"), joined)),
  ];
}
