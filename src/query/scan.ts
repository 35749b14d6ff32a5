import { FrazilError, identText, type LoadedTable, type NestedField, snapshotById } from "../../table-format/index.ts";
import type { RowColumns } from "./arrow-table.ts";
import type { TableAt } from "./as-of.ts";
import type { ResultRows } from "./duckdb.ts";
import { openReading } from "./duckdb-reading.ts";
import { quoteName } from "./duckdb-types.ts";
import { heldTable, type Holds, release } from "./held-table.ts";
import { plannedRows, plannedScan } from "./planned-scan.ts";
import type { QueryWarehouse } from "./query-warehouse.ts";
import { checkCondition, chosenFields, type RowChoice, whereClause } from "./row-choice.ts";
import { prepareTable } from "./table-rows.ts";

/** The rows of a table at one point, while they are read. Close it when done. */
export interface Scan extends ResultRows, RowColumns {
  close(): Promise<void>;
}

/**
 * Opens the rows of a table at one point. A part is of whole data files. Conditions that the table format understands are answered by its
 * own plan and reader, others by DuckDB; the rows are the same.
 *
 * @throws FrazilError `config`, codes `COLUMN_NOT_FOUND`, `SQL_ERROR`; `not-found`, code `SNAPSHOT_NOT_FOUND`; `unsupported` for tables that
 * cannot be read.
 */
export async function openScan(warehouse: QueryWarehouse, at: TableAt, choice: RowChoice): Promise<Scan> {
  const fields = chosenFields(at, choice);
  const named = { names: fields.map(({ name }) => name), required: requiredNames(fields) };
  const planned = plannedScan(at, choice, fields);
  if (planned !== null) {
    const holds: Holds = [];
    await heldTable(warehouse, at.table, (now) => stillAt(now, at), holds);
    return { ...named, ...plannedRows(warehouse.io, at, choice, planned), close: () => release(holds) };
  }
  return openReading(warehouse, async (duckdb, files, holds) => {
    await heldTable(warehouse, at.table, (now) => stillAt(now, at), holds);
    const { select, paths } = await prepareTable(warehouse.io, duckdb, files, at, "deletes", choice.part);
    await duckdb.lock(paths);
    await checkCondition(duckdb, at, choice);
    const list = fields.map(({ name }) => quoteName(name)).join(", ");
    const { types, chunks } = await duckdb.query(`SELECT ${list} FROM (${select}) ${whereClause(choice)}`);
    return { ...named, types, chunks };
  });
}

/** @throws FrazilError `not-found`, code `SNAPSHOT_NOT_FOUND`, when the snapshot has been expired since it was looked up. */
function stillAt({ ident, metadata }: LoadedTable, at: TableAt): TableAt {
  const id = at.snapshot?.snapshotId;
  if (id === undefined || snapshotById(metadata, id) !== null) return at;
  throw new FrazilError("not-found", "SNAPSHOT_NOT_FOUND", `${identText(ident)}: snapshot ${id} has been expired`, {
    hint: "load the table again, and keep snapshots for longer",
  });
}

/** The names of columns that are never null. */
function requiredNames(fields: readonly NestedField[]): ReadonlySet<string> {
  return new Set(fields.filter(({ required }) => required).map(({ name }) => name));
}
