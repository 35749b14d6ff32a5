import { grouped } from "../../core/count-text.ts";
import { snapshotById } from "../../../table-format/index.ts";
import { namedTable } from "../../query/table-names.ts";
import type { CliContext } from "../context.ts";
import { jsonLine, tableText } from "../output.ts";
import { changedRows, figure, liveRows, timeText } from "../snapshot-figures.ts";
import { withWarehouse } from "../warehouse-option.ts";

/** `frazil snapshots <table>`: one line a snapshot, oldest first. */
export async function snapshots(context: CliContext, name: string): Promise<void> {
  const { output } = context;
  await withWarehouse(context, async (warehouse) => {
    const { metadata } = await namedTable(warehouse, name);
    const rows: string[][] = [];
    for (const snapshot of [...metadata.snapshots].sort((a, b) => Number(a.sequenceNumber - b.sequenceNumber))) {
      const parent = snapshot.parentSnapshotId === null ? null : snapshotById(metadata, snapshot.parentSnapshotId);
      const { added, deleted } = changedRows(snapshot, parent);
      const refs = [...metadata.refs].filter(([, ref]) => ref.snapshotId === snapshot.snapshotId);
      const operation = snapshot.summary.get("operation") ?? "append";
      const checkpoint = figure(snapshot, "ingest.ckpt");
      if (output.json) {
        await output.write(
          jsonLine({
            snapshotId: snapshot.snapshotId,
            parentSnapshotId: snapshot.parentSnapshotId,
            time: timeText(snapshot.timestampMs),
            operation,
            pipeline: snapshot.summary.get("ingest.pipe"),
            checkpoint,
            rows: liveRows(snapshot),
            added,
            deleted,
            tags: refs.filter(([, ref]) => ref.type === "tag").map(([tag]) => tag),
            branches: refs.filter(([, ref]) => ref.type === "branch").map(([branch]) => branch),
          }),
        );
        continue;
      }
      rows.push([
        String(snapshot.snapshotId),
        timeText(snapshot.timestampMs),
        operation,
        checkpoint === null ? "" : grouped(checkpoint),
        countText(liveRows(snapshot), ""),
        countText(added, "+"),
        countText(deleted, "-"),
        refs.map(([ref]) => ref).join(" "),
      ]);
    }
    if (output.json) return;
    if (rows.length === 0) {
      output.note(`${name} has no snapshots yet`);
      return;
    }
    await output.write(
      tableText(
        [
          { name: "snapshot", align: "right" },
          { name: "time", align: "left" },
          { name: "operation", align: "left" },
          { name: "checkpoint", align: "right" },
          { name: "rows", align: "right" },
          { name: "added", align: "right" },
          { name: "deleted", align: "right" },
          { name: "refs", align: "left" },
        ],
        rows,
      ),
    );
  });
}

function countText(count: bigint | null, sign: string): string {
  if (count === null) return "?";
  return count === 0n && sign !== "" ? "" : `${sign}${grouped(count)}`;
}
