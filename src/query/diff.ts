import {
  type ChangedRows,
  currentSnapshot,
  diffSnapshots,
  FrazilError,
  identText,
  type LoadedTable,
  type NestedField,
  type Snapshot,
} from "../../table-format/index.ts";
import { type PastTable, type TableAt, tableAsOf } from "./as-of.ts";
import { changedRows } from "./changed-rows.ts";
import { conditionExpression } from "./condition/translate.ts";
import type { Duckdb, ResultRows } from "./duckdb.ts";
import { openReading } from "./duckdb-reading.ts";
import { columnName, quoteName } from "./duckdb-types.ts";
import type { LocalFiles } from "./local-files.ts";
import type { QueryWarehouse } from "./query-warehouse.ts";
import { ALL_ROWS, checkCondition, chosenFields, type RowChoice, whereClause } from "./row-choice.ts";
import { type Segment, segmentsBetween } from "./steps.ts";
import { checkReadable, internalNames, selectRows } from "./table-sql.ts";

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
 * values does not show. Only files that differ are read; those that a compaction in between replaced are not.
 *
 * @param range `a..b` of snapshot ids, RFC 3339 times, tags or branches; without `a` from the beginning, without `b` up to now.
 * @param choice as in `diffSegments`
 * @throws FrazilError as `openQuery`.
 */
export async function openDiff(
  warehouse: QueryWarehouse,
  table: LoadedTable,
  range: string,
  choice: RowChoice = ALL_ROWS,
): Promise<Diff> {
  const { from, to } = parseRange(table, range);
  const diff = await diffSegments(warehouse, segmentsBetween(table, from, to.snapshot), to, choice, []);
  return { ...diff, from, to: to.snapshot };
}

/**
 * The net change over several pairs of states, as `openDiff` gives it. Whoever chooses columns and rows gets the changes of the table
 * of these columns and rows: a row that ceases to fulfil the condition is a `delete`, one that differs in other columns alone does not
 * show. The table's key is what pairs rows whether it is chosen or not.
 *
 * @param to in whose schema the rows are given
 * @param extra Constant columns behind `_op`: SQL and name.
 */
export async function diffSegments(
  warehouse: QueryWarehouse,
  segments: readonly Segment[],
  to: TableAt,
  choice: RowChoice,
  extra: readonly ExtraColumn[],
): Promise<ResultRows & { close(): Promise<void> }> {
  const fields = chosenFields(to, choice);
  return openReading(warehouse, async (duckdb, files) => {
    const inserted: (readonly ChangedRows[])[] = [];
    const deleted: (readonly ChangedRows[])[] = [];
    // DuckDB tests every row; files that hold none of the condition need not be read.
    const filter = choice.where === null ? null : conditionExpression(choice.where, to.schema);
    const chosen = { schema: to.schema, ...(filter !== null && { filter }) };
    for (const [before, after] of segments) {
      const plan = await diffSnapshots(warehouse.io, to.table.metadata, before, after, chosen);
      const changed = [...plan.inserted, ...plan.deleted].map(({ file }) => file);
      // What they hide is in the plan.
      checkReadable(to, changed, false);
      inserted.push(plan.inserted);
      deleted.push(plan.deleted);
    }
    const came = await sideRows(duckdb, files, to, "inserted", inserted);
    const went = await sideRows(duckdb, files, to, "deleted", deleted);
    await duckdb.lock([...came.paths, ...went.paths]);
    await checkCondition(duckdb, to, choice);
    const columns = [...new Set([...keyFields(to), ...fields])];
    for (const [name, { selects }] of [["inserted", came] as const, ["deleted", went] as const]) {
      await createRows(duckdb, to, name, selects, columns, choice);
    }
    const hasRows = (side: readonly (readonly ChangedRows[])[]): boolean => side.some(({ length }) => length > 0);
    return duckdb.query(diffSql(to, fields, columns, hasRows(inserted) && hasRows(deleted), extra));
  });
}

/** A constant beside the changes. */
interface ExtraColumn {
  readonly sql: string;
  readonly name: string;
}

function keyFields({ schema }: TableAt): NestedField[] {
  return schema.fields.filter(({ id }) => schema.identifierFieldIds.includes(id));
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

/** One side of the changes as SELECTs of all columns under their internal names, and the files that they open. */
async function sideRows(
  duckdb: Duckdb,
  files: LocalFiles,
  at: TableAt,
  side: "inserted" | "deleted",
  segments: readonly (readonly ChangedRows[])[],
): Promise<{ readonly selects: readonly string[]; readonly paths: readonly string[] }> {
  const selects: string[] = [];
  const paths: string[] = [];
  for (const [index, choices] of segments.entries()) {
    const changed = await changedRows(duckdb, files, at, `${side}_positions_${index}`, choices);
    selects.push(...changed.selects);
    paths.push(...changed.paths);
  }
  if (selects.length === 0) selects.push(selectRows(at, [], internalNames(at)));
  return { selects, paths };
}

/** Fills `_frazil.<name>` with the chosen rows, columns under their internal names. */
async function createRows(
  duckdb: Duckdb,
  at: TableAt,
  name: string,
  selects: readonly string[],
  columns: readonly NestedField[],
  choice: RowChoice,
): Promise<void> {
  const list = columns.map(columnName).join(", ");
  const rows = selects.join(" UNION ALL ");
  const condition = partCondition(at, columns, choice);
  if (choice.where === null) {
    await duckdb.run(`CREATE TABLE _frazil.${name} AS SELECT ${list} FROM (${rows}) ${condition}`);
    return;
  }
  // The condition knows the columns by the table's names.
  const renamed = at.schema.fields.map((field) => `${columnName(field)} AS ${quoteName(field.name)}`).join(", ");
  const back = columns.map((field) => `${quoteName(field.name)} AS ${columnName(field)}`).join(", ");
  const chosen = `SELECT ${back} FROM (SELECT ${renamed} FROM (${rows})) ${whereClause(choice)}`;
  const { chunks } = await duckdb.query(`CREATE TABLE _frazil.${name} AS SELECT * FROM (${chosen}) ${condition}`);
  for await (const _rows of chunks());
}

/** Rows of one key go to one part, so that each pairs its own; without a key, rows of equal values. */
function partCondition(at: TableAt, columns: readonly NestedField[], { part }: RowChoice): string {
  if (part === null) return "";
  const key = keyFields(at);
  const hashed = (key.length === 0 ? columns : key).map(columnName).join(", ");
  return `WHERE hash(${hashed}) % ${part.of} = ${part.index}`;
}

/**
 * Pairs what went with what came, by key.
 *
 * @param fields what is given
 * @param compared what makes two rows equal
 * @param cancels Whether both sides have rows: then those that are equal, copy for copy, cancel each other out.
 */
function diffSql(
  at: TableAt,
  fields: readonly NestedField[],
  compared: readonly NestedField[],
  cancels: boolean,
  extra: readonly ExtraColumn[],
): string {
  const columns = compared.map(columnName);
  const key = keyFields(at).map(columnName);
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
  const selected = [
    "a.op AS _op",
    ...extra.map(({ sql, name }) => `${sql} AS ${name}`),
    ...fields.map((field) => `a.${columnName(field)} AS ${quoteName(field.name)}`),
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
