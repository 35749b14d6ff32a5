import {
  identText,
  type LoadedTable,
  snapshotById,
  type StatisticsFile,
  type TableChange,
  type TableUpdate,
} from "../../table-format/index.ts";
import { FrazilError } from "../core/errors.ts";
import { commitMetadata, type MetadataContext } from "./metadata-commit.ts";

/**
 * Makes a Puffin file the statistics of its snapshot. Nothing else of the table changes, so nothing but its uuid is asserted; sent twice
 * it is the same. When an answer is lost, the metadata tells whether it names the file.
 *
 * @throws FrazilError `conflict` when the snapshot is gone or others commit all the time, `unavailable`, `data` when the table was replaced.
 */
export async function commitStatistics(
  context: MetadataContext,
  planned: LoadedTable,
  statistics: StatisticsFile,
): Promise<void> {
  await commitMetadata(context, "statistics", [planned], (bases) =>
    bases.map((base) => {
      checkHeld(base, statistics.snapshotId);
      return changeOf(base, [{ action: "set-statistics", statistics }]);
    }),
  );
}

/**
 * Drops statistics from the metadata. Nothing else of the table changes; sent twice it is the same.
 *
 * @throws FrazilError as `commitStatistics`
 */
export async function forgetStatistics(
  context: MetadataContext,
  planned: LoadedTable,
  files: readonly { readonly of: "statistics" | "partition-statistics"; readonly snapshotId: bigint }[],
): Promise<void> {
  const updates = files.map(({ of, snapshotId }): TableUpdate => ({ action: `remove-${of}`, snapshotId }));
  await commitMetadata(context, "statistics", [planned], (bases) => bases.map((base) => changeOf(base, updates)));
}

function changeOf({ ident, metadata }: LoadedTable, updates: readonly TableUpdate[]): TableChange {
  return { ident, requirements: [{ type: "assert-table-uuid", uuid: metadata.tableUuid }], updates };
}

function checkHeld({ ident, metadata }: LoadedTable, snapshotId: bigint): void {
  if (snapshotById(metadata, snapshotId) !== null) return;
  const message = `table ${identText(ident)}: snapshot ${snapshotId} has been expired meanwhile`;
  throw new FrazilError("conflict", "SNAPSHOT_GONE", message, { hint: "run it again" });
}
