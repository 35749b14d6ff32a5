import { FrazilError, identText, type NestedField } from "../../table-format/index.ts";
import { nearest } from "../config/suggest.ts";
import type { TableAt } from "../query/as-of.ts";
import type { ResultRows } from "../query/duckdb.ts";
import { openReading } from "../query/duckdb-reading.ts";
import { quoteName } from "../query/duckdb-types.ts";
import type { QueryWarehouse } from "../query/query.ts";
import { prepareTable } from "../query/table-rows.ts";
import type { RowColumns } from "./arrow-table.ts";

/** The rows of a table at one point, while they are read. Close it when done. */
export interface Scan extends ResultRows, RowColumns {
  close(): Promise<void>;
}

/**
 * Opens the rows of a table at one point.
 *
 * @param columns Which ones, in this order; absent: all.
 * @throws FrazilError `config`, code `COLUMN_NOT_FOUND`; `unsupported` for tables that cannot be read.
 */
export async function openScan(
  warehouse: QueryWarehouse,
  at: TableAt,
  columns: readonly string[] | undefined,
): Promise<Scan> {
  const fields = chosenFields(at, columns);
  return openReading(warehouse, async (duckdb, files) => {
    const { select, paths } = await prepareTable(warehouse.io, duckdb, files, at, "deletes");
    await duckdb.lock(paths);
    const list = fields.map(({ name }) => quoteName(name)).join(", ");
    const { types, chunks } = await duckdb.query(`SELECT ${list} FROM (${select})`);
    return { names: fields.map(({ name }) => name), types, required: requiredNames(fields), chunks };
  });
}

/** The names of columns that are never null. */
function requiredNames(fields: readonly NestedField[]): ReadonlySet<string> {
  return new Set(fields.filter(({ required }) => required).map(({ name }) => name));
}

function chosenFields({ table, schema }: TableAt, columns: readonly string[] | undefined): readonly NestedField[] {
  if (columns === undefined) return schema.fields;
  if (columns.length === 0) throw new FrazilError("config", "COLUMN_NOT_FOUND", "columns: expected at least one");
  const byName = new Map(schema.fields.map((field) => [field.name, field]));
  return columns.map((name) => {
    const field = byName.get(name);
    if (field !== undefined) return field;
    const near = nearest(name, [...byName.keys()]);
    throw new FrazilError("config", "COLUMN_NOT_FOUND", `${identText(table.ident)} has no column ${name}`, {
      hint: near === null ? `columns: ${[...byName.keys()].join(", ")}` : `did you mean ${near}?`,
    });
  });
}
