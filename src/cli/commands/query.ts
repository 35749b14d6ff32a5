import { identText } from "../../../table-format/index.ts";
import { portableStatement } from "../../query/portable.ts";
import { openQuery } from "../../query/query.ts";
import type { Warehouse } from "../../warehouse.ts";
import type { CliContext } from "../context.ts";
import { printRows } from "../result-rows.ts";
import { timeText } from "../snapshot-figures.ts";
import { warehouseSettings, withWarehouse } from "../warehouse-option.ts";

export interface QueryOptions {
  readonly asOf?: string;
  readonly printStatement?: boolean;
}

/** `frazil query "SQL" [--as-of …]`: runs it, or prints it for another DuckDB. */
export async function query(context: CliContext, sql: string, options: QueryOptions): Promise<void> {
  const asOf = options.asOf ?? null;
  await withWarehouse(context, async (warehouse) => {
    if (options.printStatement !== true) {
      await runStatement(context, warehouse, sql, asOf);
      return;
    }
    const { s3 } = warehouseSettings(context);
    await context.output.write(await portableStatement(warehouse, sql, asOf, s3));
  });
}

/** Runs one statement and prints its rows. */
export async function runStatement(
  context: CliContext,
  warehouse: Warehouse,
  sql: string,
  asOf: string | null,
): Promise<void> {
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
}
