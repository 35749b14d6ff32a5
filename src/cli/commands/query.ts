import { existsSync } from "node:fs";
import { FrazilError } from "../../core/errors.ts";
import { positionText } from "../../core/position.ts";
import { consistentCut } from "../../pipeline/consistent-cut.ts";
import { readJob } from "../job-file.ts";
import { identText } from "../../../table-format/index.ts";
import { portableStatement } from "../../query/portable.ts";
import type { ResultRows } from "../../query/duckdb.ts";
import { openQuery, type QueryTables } from "../../query/query.ts";
import type { CliContext } from "../context.ts";
import { printRows } from "../result-rows.ts";
import { timeText } from "../snapshot-figures.ts";
import type { Warehouse } from "../../warehouse.ts";
import { warehouseSettings, withWarehouse } from "../warehouse-option.ts";

export interface QueryOptions {
  readonly asOf?: string;
  /** A job file, or the name of a pipeline in the warehouse. */
  readonly consistent?: string;
  readonly printStatement?: boolean;
}

/** `frazil query "SQL" [--as-of … | --consistent …]`: runs it, or prints it for another DuckDB. */
export async function query(context: CliContext, sql: string, options: QueryOptions): Promise<void> {
  const asOf = options.asOf ?? null;
  if (options.consistent !== undefined) {
    if (asOf !== null || options.printStatement === true) throw usage();
    await queryCut(context, sql, options.consistent);
    return;
  }
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

function usage(): FrazilError {
  return new FrazilError("config", "USAGE", "--consistent reads the newest cut: not --as-of, nor --print-statement", {
    hint: 'frazil query "SELECT …" --consistent jobs/orders.yaml',
  });
}

/** Over all tables of a job as one checkpoint left them. */
async function queryCut(context: CliContext, sql: string, name: string): Promise<void> {
  const { output } = context;
  const job = existsSync(name) || /\.ya?ml$/.test(name) ? readJob(context, name) : null;
  const read = async (warehouse: Warehouse): Promise<void> => {
    const place = { ...warehouse, warehouseLocation: warehouse.location, pipeline: job?.name ?? name };
    const cut = await consistentCut(place);
    const result = await openQuery(warehouse, sql, cut.tables);
    try {
      if (!output.json)
        output.note(`as of checkpoint ${cut.checkpoint} of ${cut.pipeline}: ${positionText(cut.position)}`);
      await printRows(output, result);
    } finally {
      await result.close();
    }
  };
  await withWarehouse(context, read, job?.warehouse);
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
