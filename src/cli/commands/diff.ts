import { changedColumns } from "../../query/arrow-table.ts";
import { openDiff } from "../../query/diff.ts";
import { namedTable } from "../../query/table-names.ts";
import type { CliContext } from "../context.ts";
import type { RowOptions } from "../row-options.ts";
import { chosenRows, openRowPrinter } from "../row-output.ts";
import { timeText } from "../snapshot-figures.ts";
import { withWarehouse } from "../warehouse-option.ts";

/** `frazil diff <table> <a>..<b>`. */
export async function diff(context: CliContext, name: string, range: string, options: RowOptions): Promise<void> {
  const { output } = context;
  await withWarehouse(context, async (warehouse) => {
    const result = await openDiff(warehouse, await namedTable(warehouse, name), range, chosenRows(options));
    try {
      if (!output.json && options.format === undefined) {
        const { from, to } = result;
        const start = from === null ? "the beginning" : `snapshot ${from.snapshotId}, ${timeText(from.timestampMs)}`;
        output.note(`${name} from ${start} to snapshot ${to.snapshotId}, ${timeText(to.timestampMs)}`);
      }
      const columns = changedColumns(result);
      const printer = await openRowPrinter(output, options.format, async () => columns);
      await printer.print({ ...result, required: columns.required });
      await printer.end();
    } finally {
      await result.close();
    }
  });
}
