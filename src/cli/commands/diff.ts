import { openDiff } from "../../query/diff.ts";
import type { CliContext } from "../context.ts";
import { printRows } from "../result-rows.ts";
import { timeText } from "../snapshot-figures.ts";
import { namedTable, withWarehouse } from "../warehouse-option.ts";

/** `frazil diff <table> <a>..<b>`. */
export async function diff(context: CliContext, name: string, range: string): Promise<void> {
  const { output } = context;
  await withWarehouse(context, async (warehouse) => {
    const result = await openDiff(warehouse, await namedTable(warehouse, name), range);
    try {
      if (!output.json) {
        const { from, to } = result;
        const start = from === null ? "the beginning" : `snapshot ${from.snapshotId}, ${timeText(from.timestampMs)}`;
        output.note(`${name} from ${start} to snapshot ${to.snapshotId}, ${timeText(to.timestampMs)}`);
      }
      await printRows(output, result);
    } finally {
      await result.close();
    }
  });
}
