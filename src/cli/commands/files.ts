import { grouped } from "../../core/count-text.ts";
import {
  type DataFile,
  type DeletedPositions,
  deletedPositions,
  isDeletionVector,
  type LiveFile,
  partitionPath,
  planSnapshot,
  specById,
  type TableMetadata,
} from "../../../table-format/index.ts";
import { tableAt } from "../../query/as-of.ts";
import { namedTable } from "../../query/table-names.ts";
import type { CliContext } from "../context.ts";
import { jsonLine, sizeText, tableText } from "../output.ts";
import { withWarehouse } from "../warehouse-option.ts";

/** `frazil files <table> [--as-of …]`: the live data files, oldest first. */
export async function files(context: CliContext, name: string, asOf: string | null): Promise<void> {
  const { output } = context;
  await withWarehouse(context, async (warehouse) => {
    const table = await namedTable(warehouse, name);
    const { snapshot } = tableAt(table, asOf);
    if (snapshot === null) {
      output.note(`${name} has no snapshots yet`);
      return;
    }
    const plan = await planSnapshot(warehouse.io, table.metadata, snapshot);
    if (plan.hasEqualityDeletes) output.note(`${name} holds equality deletes; the rows that they hide are not counted`);
    const positions = deletedPositions(warehouse.io);
    const sorted = plan.dataFiles.toSorted(
      (a, b) => Number(a.sequenceNumber - b.sequenceNumber) || (a.file.filePath < b.file.filePath ? -1 : 1),
    );
    const lines = await Promise.all(
      sorted.map(async ({ file, sequenceNumber }) => ({
        path: file.filePath,
        partition: partitionOf(table.metadata, file),
        rows: file.recordCount,
        deletedRows: await deletedRows(positions, file, plan.deletes.get(file.filePath) ?? []),
        sizeBytes: file.fileSizeBytes,
        sequenceNumber,
        format: file.fileFormat,
      })),
    );
    if (output.json) {
      await output.write(lines.map(jsonLine).join(""));
      return;
    }
    await output.write(
      tableText(
        [
          { name: "file", align: "left" },
          { name: "partition", align: "left" },
          { name: "rows", align: "right" },
          { name: "deleted", align: "right" },
          { name: "size", align: "right" },
          { name: "sequence", align: "right" },
        ],
        lines.map((line) => [
          shortPath(table.metadata.location, line.path),
          line.partition,
          grouped(line.rows),
          line.deletedRows === 0n ? "" : grouped(line.deletedRows),
          sizeText(line.sizeBytes),
          String(line.sequenceNumber),
        ]),
      ),
    );
  });
}

/** A vector tells its own number of rows; position delete files may name a row twice, or rows of other files, and are read. */
async function deletedRows(positions: DeletedPositions, file: DataFile, deletes: readonly LiveFile[]): Promise<bigint> {
  const [only] = deletes;
  if (only === undefined) return 0n;
  if (deletes.length === 1 && isDeletionVector(only.file)) return only.file.recordCount;
  return BigInt((await positions.of(file, deletes)).cardinality);
}

/** `region=eu/created_at_day=2026-11-20`; empty when unpartitioned. */
function partitionOf(metadata: TableMetadata, file: DataFile): string {
  const spec = specById(metadata, file.specId);
  // A column that partitions old files may be gone from the current schema.
  const knows = metadata.schemas.toReversed().find(({ fields }) => {
    const ids = new Set(fields.map(({ id }) => id));
    return spec.fields.every(({ sourceId }) => ids.has(sourceId));
  });
  if (knows === undefined) return file.partition.map((value) => (value === null ? "null" : String(value))).join("/");
  return partitionPath(spec, knows, file.partition);
}

function shortPath(location: string, path: string): string {
  return path.startsWith(`${location}/`) ? path.slice(location.length + 1) : path;
}
