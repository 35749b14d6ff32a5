import { identText } from "../../../table-format/index.ts";
import { portableStatement } from "../../query/portable.ts";
import type { ResultRows } from "../../query/duckdb.ts";
import { openQuery, type QueryTables } from "../../query/query.ts";
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
    if (options.printStatement === true) {
      const { s3 } = warehouseSettings(context);
      await context.output.write(await portableStatement(warehouse, sql, asOf, s3));
      return;
    }
    const result = await openQuery(warehouse, sql, asOf);
    try {
      await printResult(context, result, asOf);
    } finally {
      await result.close();
    }
  });
}

/** Prints the rows of a statement, and for people before them what past they are of. */
export async function printResult(
  { output }: CliContext,
  result: ResultRows & { readonly tables: QueryTables },
  asOf: string | null,
): Promise<void> {
  for (const { ident, snapshot } of asOf === null || output.json ? [] : result.tables) {
    if (snapshot === null) continue;
    const checkpoint = snapshot.summary.get("ingest.ckpt");
    const of = checkpoint === undefined ? "" : `, checkpoint ${checkpoint}`;
    output.note(`${identText(ident)} as of snapshot ${snapshot.snapshotId}, ${timeText(snapshot.timestampMs)}${of}`);
  }
  await printRows(output, result);
}
