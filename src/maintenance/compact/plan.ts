import {
  deletedPositions,
  FrazilError,
  identText,
  type LiveFile,
  type LoadedTable,
  planSnapshot,
  RoaringBitmap,
  type SnapshotPlan,
  tupleKey,
} from "../../../table-format/index.ts";
import type { MaintenanceContext } from "../../commit/maintenance-commit.ts";

export interface CompactSettings {
  readonly targetSizeBytes: number;
  readonly minFiles: number;
}

/** A data file as it was when the plan was made. */
export interface CompactInput {
  readonly live: LiveFile;
  readonly deleted: RoaringBitmap;
}

/** Files of one partition that become one. */
export type CompactGroup = readonly CompactInput[];

export interface CompactPlan {
  readonly table: LoadedTable;
  readonly groups: readonly CompactGroup[];
  readonly skippedFiles: number;
}

/** A file is rewritten for its deletes alone from this share of deleted rows on: below it readers lose little. */
const DELETED_SHARE = 0.15;
/** Files of at least this share of the target size are large enough. */
const LARGE_SHARE = 0.75;

/** The live files of the table's head. @throws FrazilError `unsupported` for equality deletes, which no position can express. */
export async function headPlan(
  { io, manifests }: MaintenanceContext,
  { ident, metadata }: LoadedTable,
): Promise<SnapshotPlan> {
  const head = metadata.snapshots.find(({ snapshotId }) => snapshotId === metadata.currentSnapshotId);
  if (head === undefined) {
    return { dataFiles: [], deletes: new Map(), hasEqualityDeletes: false, equalityDeletes: [] };
  }
  const plan = await planSnapshot(io, metadata, head, manifests);
  if (!plan.hasEqualityDeletes) return plan;
  throw new FrazilError(
    "unsupported",
    "FOREIGN_DELETES",
    `table ${identText(ident)} holds equality deletes, which are not compacted`,
    { hint: "rewrite the table with the engine that wrote them" },
  );
}

/** Which files of the head are worth a rewrite. Reads manifests and deletes, no data. */
export async function planCompaction(
  context: MaintenanceContext,
  table: LoadedTable,
  { targetSizeBytes, minFiles }: CompactSettings,
): Promise<CompactPlan> {
  const { dataFiles, deletes } = await headPlan(context, table);
  const reader = deletedPositions(context.io);
  const inputs = await Promise.all(
    dataFiles.map(async (live): Promise<CompactInput> => ({
      live,
      deleted: await reader.of(live.file, deletes.get(live.file.filePath) ?? []),
    })),
  );
  const candidates = inputs.filter(
    (input) =>
      input.live.file.specId === table.metadata.defaultSpecId &&
      (hasManyDeletes(input) || Number(input.live.file.fileSizeBytes) < targetSizeBytes * LARGE_SHARE),
  );
  const byPartition = Map.groupBy(candidates, ({ live }) => tupleKey(live.file.partition));
  const groups = [...byPartition.values()]
    .flatMap((files) => pack(files, targetSizeBytes))
    .filter((group) => group.length >= minFiles || group.some(hasManyDeletes));
  return { table, groups, skippedFiles: dataFiles.length - groups.flat().length };
}

function hasManyDeletes({ live, deleted }: CompactInput): boolean {
  return deleted.cardinality > 0 && deleted.cardinality >= Number(live.file.recordCount) * DELETED_SHARE;
}

/** Neighbours in groups of at most the target size, or one file; the order stays. */
function pack(inputs: readonly CompactInput[], targetSizeBytes: number): CompactGroup[] {
  const groups: CompactInput[][] = [];
  let size = 0;
  for (const input of inputs) {
    const bytes = Number(input.live.file.fileSizeBytes);
    const group = groups.at(-1);
    if (group === undefined || size + bytes > targetSizeBytes) {
      groups.push([input]);
      size = bytes;
    } else {
      group.push(input);
      size += bytes;
    }
  }
  return groups;
}
