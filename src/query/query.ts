import type { Snapshot, TableIdent } from "../../table-format/index.ts";
import { type Cut, tableAt } from "./as-of.ts";
import type { Duckdb, ResultRows, SqlParameter } from "./duckdb.ts";
import { openReading } from "./duckdb-reading.ts";
import { quoteName } from "./duckdb-types.ts";
import { type Holds, heldTable } from "./held-table.ts";
import type { LocalFiles } from "./local-files.ts";
import type { QueryWarehouse } from "./query-warehouse.ts";
import { findTables, hintAtTable } from "./table-names.ts";
import { prepareTable } from "./table-rows.ts";

/** The tables that a query reads, and the snapshot of each (null: none yet). */
export type QueryTables = readonly { readonly ident: TableIdent; readonly snapshot: Snapshot | null }[];

/** A running query. Close it when done: until then it holds memory and, over a remote warehouse, copies of files. */
export interface Query extends ResultRows {
  readonly tables: QueryTables;
  close(): Promise<void>;
}

/**
 * Runs one SQL statement over the tables of a warehouse in an embedded DuckDB: over the files that our own planner picked, with
 * deletes applied, columns found by field id and Iceberg's types exactly.
 *
 * @param asOf A snapshot id, RFC 3339 time or tag for every table that the statement names, or a cut over them; null = now.
 * @param parameters Values for `$1`, `$2`, ….
 * @throws FrazilError `SQL_ERROR`, `QUERY_FAILED`, `TABLE_NOT_FOUND`, `SNAPSHOT_NOT_FOUND`, and `unsupported` for what cannot be read.
 */
export async function openQuery(
  warehouse: QueryWarehouse,
  sql: string,
  asOf: string | Cut | null,
  parameters: readonly SqlParameter[] = [],
): Promise<Query> {
  return openReading(warehouse, async (duckdb, files, holds) => {
    const tables = await createViews(warehouse, { duckdb, files, holds }, sql, asOf);
    const rows = await duckdb.query(sql, parameters).catch(async (error: unknown) => {
      throw await hintAtTable(error, warehouse.catalog);
    });
    return { ...rows, tables };
  });
}

async function createViews(
  warehouse: QueryWarehouse,
  { duckdb, files, holds }: { readonly duckdb: Duckdb; readonly files: LocalFiles; readonly holds: Holds },
  sql: string,
  asOf: string | Cut | null,
): Promise<QueryTables> {
  const paths: string[] = [];
  const tables: { ident: TableIdent; snapshot: Snapshot | null }[] = [];
  for (const { table, unqualified } of await findTables(warehouse, duckdb, sql)) {
    const { ident } = table;
    const at = await heldTable(warehouse, table, (now) => tableAt(now, asOf), holds);
    const rows = await prepareTable(warehouse.io, duckdb, files, at, `deletes_${tables.length}`);
    const schema = quoteName(ident.namespace.join("."));
    await duckdb.run(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
    await duckdb.run(`CREATE VIEW ${schema}.${quoteName(ident.name)} AS ${rows.select}`);
    if (unqualified) await duckdb.createBareView(ident.name, rows.select);
    paths.push(...rows.paths);
    tables.push({ ident, snapshot: at.snapshot });
  }
  await duckdb.lock(paths);
  return tables;
}
