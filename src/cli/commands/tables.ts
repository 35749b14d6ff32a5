import { grouped } from "../../core/count-text.ts";
import { currentSnapshot, identText } from "../../../table-format/index.ts";
import type { CliContext } from "../context.ts";
import { jsonLine, sizeText, tableText } from "../output.ts";
import { figure, liveRows, timeText } from "../snapshot-figures.ts";
import { listTables } from "../../query/table-names.ts";
import { type Unpublished, unpublishedColumn, unpublishedOf } from "../unpublished.ts";
import { withWarehouse } from "../warehouse-option.ts";

/** `frazil tables`: one line a table with its rows, snapshots and bytes. */
export async function tables(context: CliContext): Promise<void> {
  const { output } = context;
  await withWarehouse(context, async (warehouse) => {
    const rows: string[][] = [];
    const waiting: (Unpublished | null)[] = [];
    for (const ident of await listTables(warehouse.catalog)) {
      const loaded = await warehouse.catalog.loadTable(ident);
      // Dropped since it was listed.
      if (loaded === null) continue;
      const { metadata } = loaded;
      const snapshot = currentSnapshot(metadata);
      const liveCount = snapshot === null ? 0n : liveRows(snapshot);
      const bytes = snapshot === null ? 0n : figure(snapshot, "total-files-size");
      const updated = timeText(metadata.lastUpdatedMs);
      const unpublished = unpublishedOf(loaded);
      if (output.json) {
        await output.write(
          jsonLine({
            table: identText(ident),
            rows: liveCount,
            snapshots: metadata.snapshots.length,
            sizeBytes: bytes,
            formatVersion: metadata.formatVersion,
            snapshotId: metadata.currentSnapshotId,
            updated,
            location: metadata.location,
            unpublished: unpublished ?? undefined,
          }),
        );
        continue;
      }
      const size = bytes === null ? "?" : sizeText(bytes);
      const count = liveCount === null ? "?" : grouped(liveCount);
      rows.push([identText(ident), count, grouped(metadata.snapshots.length), size, updated]);
      waiting.push(unpublished);
    }
    if (output.json) return;
    if (rows.length === 0) {
      output.note(`no tables in ${warehouse.location}`);
      return;
    }
    const { columns, cells } = unpublishedColumn(waiting);
    await output.write(
      tableText(
        [
          { name: "table", align: "left" },
          { name: "rows", align: "right" },
          { name: "snapshots", align: "right" },
          { name: "size", align: "right" },
          { name: "updated", align: "left" },
          ...columns,
        ],
        rows.map((row, index) => [...row, ...cells(index)]),
      ),
    );
  });
}
