import {
  currentSnapshot,
  FrazilError,
  identText,
  type LiveFile,
  type LoadedTable,
  planSnapshot,
  scopedDataFile,
  type SnapshotPlan,
} from "../../../table-format/index.ts";
import type { MaintenanceContext } from "../../commit/maintenance-commit.ts";

const EMPTY: SnapshotPlan = { dataFiles: [], deletes: new Map(), hasEqualityDeletes: false, equalityDeletes: [] };

/** The live files of the table's head. @throws FrazilError `unsupported` for equality deletes, which no position can express. */
export async function headPlan(
  { io, manifests }: MaintenanceContext,
  { ident, metadata }: LoadedTable,
): Promise<SnapshotPlan> {
  const head = currentSnapshot(metadata);
  if (head === null) return EMPTY;
  const plan = await planSnapshot(io, metadata, head, manifests);
  if (!plan.hasEqualityDeletes) return plan;
  throw new FrazilError(
    "unsupported",
    "FOREIGN_DELETES",
    `table ${identText(ident)} holds equality deletes, which are not compacted`,
    { hint: "rewrite the table with the engine that wrote them" },
  );
}

/**
 * How many rows of a file are deleted, by what the manifests say of its delete files, which are not read: exact for deletion vectors and
 * for delete files about this file alone; of one about a whole partition, an even part of it.
 * @param filesOfPartition data files of the file's partition.
 */
export function deletedRows(deletes: readonly LiveFile[], { file }: LiveFile, filesOfPartition: number): number {
  let rows = 0;
  for (const { file: each } of deletes) {
    rows += Number(each.recordCount) / (scopedDataFile(each) === null ? filesOfPartition : 1);
  }
  return Math.min(Math.ceil(rows), Number(file.recordCount));
}
