import { identText } from "../../../table-format/index.ts";
import { openQuery } from "../../query/query.ts";
import type { CliContext } from "../context.ts";
import { printRows } from "../result-rows.ts";
import { timeText } from "../snapshot-figures.ts";
import { withWarehouse } from "../warehouse-option.ts";

/** `frazil query "SQL" [--as-of …]`. */
export async function query(context: CliContext, sql: string, asOf: string | null): Promise<void> {
  await withWarehouse(context, async (warehouse) => {
    const result = await openQuery(warehouse, sql, asOf);
    try {
      for (const { ident, snapshot } of asOf === null || context.output.json ? [] : result.tables) {
        if (snapshot === null) continue;
        const checkpoint = snapshot.summary.get("ingest.ckpt");
        const of = checkpoint === undefined ? "" : `, checkpoint ${checkpoint}`;
        context.output.note(
          `${identText(ident)} as of snapshot ${snapshot.snapshotId}, ${timeText(snapshot.timestampMs)}${of}`,
        );
      }
      await printRows(context.output, result);
    } finally {
      await result.close();
    }
  });
}
