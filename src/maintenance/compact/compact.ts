import {
  deletedPositions,
  identText,
  type LoadedTable,
  RoaringBitmap,
  writeDeletionVectors,
  writePositionDeletes,
} from "../../../table-format/index.ts";
import { commitReplace, soleOwner, type MaintenanceContext } from "../../commit/maintenance-commit.ts";
import { maintenanceNames } from "../../commit/names.ts";
import type { FileChanges } from "../../commit/snapshot-change.ts";
import { FrazilError } from "../../core/errors.ts";
import { type CompactGroup, type CompactPlan, headPlan } from "./plan.ts";
import { rewriteGroup } from "./rewrite.ts";

export interface CompactedGroup {
  /** Null: other commits left nothing to do. */
  readonly snapshotId: bigint | null;
  readonly filesBefore: number;
  readonly bytesBefore: bigint;
  readonly filesAfter: number;
  readonly bytesAfter: bigint;
}

/**
 * Rewrites the planned groups, one commit each, while others write to the table. Rows that they delete meanwhile are deleted in the
 * new files by the same commit: rows keep their order, so that row `old` of an input became row base + old - rank(old), where rank counts
 * the rows that were left out before it.
 */
export async function* runCompaction(context: MaintenanceContext, plan: CompactPlan): AsyncGenerator<CompactedGroup> {
  const { io, runtime } = context;
  const { table } = plan;
  const { formatVersion, location } = table.metadata;
  for (const group of plan.groups) {
    const names = maintenanceNames(location, soleOwner(table), runtime.random);
    const output = await rewriteGroup(context, table, names, group);
    const filesFor = async (base: LoadedTable): Promise<FileChanges | null> => {
      if (base.metadata.formatVersion !== formatVersion) {
        throw new FrazilError("conflict", "FORMAT_VERSION", `table ${identText(base.ident)} was upgraded meanwhile`);
      }
      const { died, live } = await deathsSince(context, base, group);
      if (live.length === 0) return null;
      const files = { removedDataFiles: live, addedDeleteFiles: [], removedDeleteFiles: [] };
      if (output === null || BigInt(died.cardinality) === output.recordCount) return { ...files, addedDataFiles: [] };
      if (died.cardinality === 0) return { ...files, addedDataFiles: [output] };
      const addedDeleteFiles =
        formatVersion >= 3
          ? await writeDeletionVectors(io, names.deletionVectors(), [{ dataFile: output, bitmap: died }])
          : [await writePositionDeletes(io, names.positionDeletes(), output, died)];
      return { ...files, addedDataFiles: [output], addedDeleteFiles };
    };
    const snapshotId = await commitReplace(context, table, names, filesFor);
    yield {
      snapshotId,
      filesBefore: group.length,
      bytesBefore: group.reduce((sum, { live }) => sum + live.file.fileSizeBytes, 0n),
      filesAfter: output === null ? 0 : 1,
      bytesAfter: output?.fileSizeBytes ?? 0n,
    };
  }
}

/** Rows of the new file that died since the plan, and the inputs that are still live. An input that is gone is dead as a whole. */
async function deathsSince(context: MaintenanceContext, base: LoadedTable, group: CompactGroup) {
  const { dataFiles, deletes } = await headPlan(context, base);
  const present = new Map(dataFiles.map((each) => [each.file.filePath, each]));
  const reader = deletedPositions(context.io);
  const now = await Promise.all(
    group.map(async ({ live: { file } }) =>
      present.has(file.filePath)
        ? reader.of(file, deletes.get(file.filePath) ?? [])
        : RoaringBitmap.range(Number(file.recordCount)),
    ),
  );
  const positions: number[] = [];
  let first = 0;
  for (const [index, { live, deleted }] of group.entries()) {
    const dead = now[index] as RoaringBitmap;
    if (deleted.difference(dead).cardinality > 0) {
      throw new FrazilError("conflict", "ROLLED_BACK", `deleted rows of ${live.file.filePath} live again`, {
        hint: "the table was rolled back meanwhile; run it again",
      });
    }
    for (const old of dead.difference(deleted).toArray()) positions.push(first + old - deleted.rank(old));
    first += Number(live.file.recordCount) - deleted.cardinality;
  }
  const live = group.flatMap((input) => present.get(input.live.file.filePath) ?? []);
  return { died: RoaringBitmap.from(positions), live };
}
