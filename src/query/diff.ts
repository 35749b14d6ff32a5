import {
  type ChangedRows,
  currentSnapshot,
  diffSnapshots,
  FrazilError,
  identText,
  type LoadedTable,
  type RoaringBitmap,
  type Snapshot,
} from "../../table-format/index.ts";
import { type PastTable, type TableAt, tableAsOf } from "./as-of.ts";
import type { Duckdb, ResultRows } from "./duckdb.ts";
import { openReading } from "./duckdb-reading.ts";
import { columnName } from "./duckdb-types.ts";
import type { LocalFiles } from "./local-files.ts";
import type { QueryWarehouse } from "./query.ts";
import { checkFieldIds, checkReadable, internalNames, selectRows, tableNames, toRead } from "./table-sql.ts";

/** The rows that changed between two snapshots; the first column is `_op`. Close it when done. */
export interface Diff extends ResultRows {
  /** Null: from the table's beginning. */
  readonly from: Snapshot | null;
  readonly to: Snapshot;
  close(): Promise<void>;
}

/**
 * What happened to a table from one snapshot to another, as rows in the later one's schema with `_op`: `insert`, `delete`, and for
 * a key that stands on both sides `update_before` and `update_after`. It is the net change: a row that was written anew with equal
 * values does not show. Only files that differ are read.
 *
 * @param range `a..b` of snapshot ids, RFC 3339 times, tags or branches; without `a` from the beginning, without `b` up to now.
 * @throws FrazilError as `openQuery`.
 */
export async function openDiff(warehouse: QueryWarehouse, table: LoadedTable, range: string): Promise<Diff> {
  const { from, to } = parseRange(table, range);
  return diffBetween(warehouse, from, to, []);
}

/**
 * As `openDiff`, between two snapshots of a table.
 *
 * @param extra Constant columns behind `_op`: SQL and name.
 */
export async function diffBetween(
  warehouse: QueryWarehouse,
  from: Snapshot | null,
  to: PastTable,
  extra: readonly { readonly sql: string; readonly name: string }[],
): Promise<Diff> {
  return openReading(warehouse, async (duckdb, files) => {
    const plan = await diffSnapshots(warehouse.io, to.table.metadata, from, to.snapshot);
    const { inserted, deleted } = plan;
    checkReadable(
      to,
      [...inserted, ...deleted].map(({ file }) => file),
      plan.hasEqualityDeletes,
    );
    await createRows(duckdb, files, to, "inserted", inserted);
    await createRows(duckdb, files, to, "deleted", deleted);
    await duckdb.lock([]);
    const rows = await duckdb.query(diffSql(to, inserted.length > 0 && deleted.length > 0, extra));
    return { ...rows, from, to: to.snapshot };
  });
}

function parseRange(table: LoadedTable, range: string): { from: Snapshot | null; to: PastTable } {
  const parts = range.split("..");
  const [from = "", to = ""] = parts;
  if (parts.length !== 2 || (from === "" && to === "")) {
    throw new FrazilError("config", "BAD_RANGE", `expected a..b, found "${range}"`, {
      hint: `a and b are snapshot ids, RFC 3339 times or tags; frazil snapshots ${identText(table.ident)} lists them`,
    });
  }
  const later = tableAsOf(table, to === "" ? String(currentSnapshot(table.metadata)?.snapshotId ?? "main") : to);
  return { from: from === "" ? null : tableAsOf(table, from).snapshot, to: later };
}

/** Fills `_frazil.<side>` with the chosen rows, columns under their internal names. */
async function createRows(
  duckdb: Duckdb,
  files: LocalFiles,
  at: TableAt,
  side: "inserted" | "deleted",
  choices: readonly ChangedRows[],
): Promise<void> {
  const whole = choices.filter(({ positions }) => positions === null);
  const partial = choices.filter(
    (choice): choice is ChangedRows & { positions: RoaringBitmap } => choice.positions !== null,
  );
  const wholePaths = await files.paths(whole.map(({ file }) => toRead(file)));
  const partialPaths = await files.paths(partial.map(({ file }) => toRead(file)));
  await checkFieldIds(duckdb, at, [...wholePaths, ...partialPaths]);
  const positions = `${side}_positions`;
  await duckdb.createPositions(
    positions,
    partial.map((choice) => choice.positions),
  );
  const semiJoin = `SEMI JOIN _frazil.${positions} d ON t.file_index = d.fi AND t.file_row_number = d.pos`;
  const names = internalNames(at);
  await duckdb.run(`CREATE TABLE _frazil.${side} AS
    ${selectRows(at, wholePaths, names)} UNION ALL ${selectRows(at, partialPaths, names, semiJoin)}`);
}

/**
 * Pairs what went with what came, by key.
 *
 * @param cancels Whether both sides have rows: then those that are equal in every column, copy for copy, cancel each other out.
 */
function diffSql(
  at: TableAt,
  cancels: boolean,
  extra: readonly { readonly sql: string; readonly name: string }[],
): string {
  const { fields, identifierFieldIds } = at.schema;
  const columns = fields.map(columnName);
  const key = fields.filter((field) => identifierFieldIds.includes(field.id)).map(columnName);
  const same = (names: readonly string[]): string =>
    names.map((name) => `b.${name} IS NOT DISTINCT FROM a.${name}`).join(" AND ");
  const numbered = (table: string): string =>
    `SELECT *, rowid AS ord, row_number() OVER (PARTITION BY ${columns.join(", ")}) AS copy FROM _frazil.${table}`;
  const net = (mine: string, other: string): string =>
    cancels
      ? `SELECT a.* FROM (${numbered(mine)}) a ANTI JOIN (${numbered(other)}) b ON ${same([...columns, "copy"])}`
      : `SELECT *, rowid AS ord FROM _frazil.${mine}`;
  const nth = key.length === 0 ? "0" : `row_number() OVER (PARTITION BY ${key.join(", ")} ORDER BY ord)`;
  const pairs = key.length === 0 ? "false" : same([...key, "nth"]);
  const names = tableNames(at);
  const selected = [
    "a.op AS _op",
    ...extra.map(({ sql, name }) => `${sql} AS ${name}`),
    ...columns.map((column, index) => `a.${column} AS ${names[index]}`),
  ];
  // Internal names carry the order: a column of the table may be called anything.
  return `
    WITH went AS (SELECT *, ${nth} AS nth FROM (${net("deleted", "inserted")})),
    came AS (SELECT *, ${nth} AS nth FROM (${net("inserted", "deleted")})),
    changes AS (
      SELECT CASE WHEN b.nth IS NULL THEN 'delete' ELSE 'update_before' END AS op, 0 AS side, a.*
      FROM went a LEFT JOIN came b ON ${pairs}
      UNION ALL
      SELECT CASE WHEN b.nth IS NULL THEN 'insert' ELSE 'update_after' END AS op, 1 AS side, a.*
      FROM came a LEFT JOIN went b ON ${pairs}
    )
    SELECT ${selected.join(", ")}
    FROM changes a
    ORDER BY ${[...key, "nth", "side", "ord"].map((column) => `a.${column}`).join(", ")}`;
}
