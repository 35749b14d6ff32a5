import type { DuckDBValue } from "@duckdb/node-api";
import {
  diffSnapshots,
  FrazilError,
  identText,
  type LoadedTable,
  type NestedField,
  type Snapshot,
  typeText,
} from "../../table-format/index.ts";
import type { RestoredRow, RestoredRows, RowPlace } from "../core/restored-rows.ts";
import { type TableAt, tableNow } from "./as-of.ts";
import { changedRows, type PlacedRows } from "./changed-rows.ts";
import { allRows, type Duckdb } from "./duckdb.ts";
import { openReading } from "./duckdb-reading.ts";
import { columnName, duckdbType, isCutOff, quoteName, quoteText } from "./duckdb-types.ts";
import { differingPairs, isCutOffWithin, type RowPair } from "./exact-times.ts";
import type { QueryWarehouse } from "./query-warehouse.ts";
import { ALL_ROWS, checkCondition } from "./row-choice.ts";
import { checkReadable, internalNames, rowPlaces, selectRows } from "./table-sql.ts";

/** Which rows are to be as they were. */
export type RestoreChoice =
  /** Keys as text, of a table whose key is one column. */
  | { readonly keys: readonly string[] }
  /** A condition of DuckDB's SQL that the rows fulfilled then. */
  | { readonly where: string };

const FILE = quoteName("_frazil file");
const POSITION = quoteName("_frazil position");
const CHOSEN = quoteName("_frazil chosen");

/**
 * Finds the rows of a table that differ from how they were, paired by the table's key, and where they stand then and now. Only files that
 * differ are read. Rows are compared by the table's present columns: a column that came later is null then, one that is gone does not count.
 *
 * @param removeNew Chosen rows that were not there then are to go: with `where`, those that fulfil it now.
 * @throws FrazilError `unsupported`, codes `NO_KEY`, `KEY_TYPE`; `config`, codes `BAD_KEYS`, `SQL_ERROR`; and as `openQuery`.
 */
export async function rowsToRestore(
  warehouse: QueryWarehouse,
  table: LoadedTable,
  then: Snapshot,
  choice: RestoreChoice,
  removeNew: boolean,
): Promise<RestoredRows> {
  const at = tableNow(table);
  const key = keyOf(at, choice);
  const nothing: RestoredRows = { rows: [], removed: [], newer: 0 };
  if (at.snapshot === null) return nothing;
  // What is live in the later snapshot of the two and not in the earlier one comes back.
  const plan = await diffSnapshots(warehouse.io, table.metadata, at.snapshot, then);
  checkReadable(
    at,
    [...plan.inserted, ...plan.deleted].map(({ file }) => file),
    plan.hasEqualityDeletes,
  );
  const reading = await openReading(warehouse, async (duckdb, files) => {
    const past = await changedRows(duckdb, files, at, "past_positions", plan.inserted, [FILE, POSITION]);
    const now = await changedRows(duckdb, files, at, "now_positions", plan.deleted, [FILE, POSITION]);
    await duckdb.lock([...past.paths, ...now.paths]);
    if ("where" in choice) await checkCondition(duckdb, at, { ...ALL_ROWS, where: choice.where });
    const chosen = "where" in choice ? `(\n${choice.where}\n)` : await keyCondition(duckdb, at, key, choice.keys);
    for (const [name, { selects }] of [["past", past] as const, ["present", now] as const]) {
      const none = selectRows(at, [], internalNames(at), "", rowPlaces(FILE, POSITION));
      await allRows(await duckdb.query(placedTable(at, name, selects.join(" UNION ALL ") || none, chosen)));
    }
    const found = await find(duckdb, at, key, past.files, now.files, removeNew);
    const rest = await equalToDuckdb(duckdb, at, key, past.files, now.files, (fields, pairs) =>
      differingPairs(warehouse.io, table.metadata, fields, pairs),
    );
    return { found: rest.length === 0 ? found : { ...found, rows: [...found.rows, ...rest] } };
  });
  await reading.close();
  return reading.found;
}

function keyOf(at: TableAt, choice: RestoreChoice): readonly NestedField[] {
  const { schema, table } = at;
  const name = identText(table.ident);
  const key = schema.fields.filter(({ id }) => schema.identifierFieldIds.includes(id));
  if (key.length === 0) {
    throw new FrazilError("unsupported", "NO_KEY", `${name} has no key, by which rows of then and now could be told`, {
      hint: `frazil rollback ${name} --to <point> --keep-position brings all rows back`,
    });
  }
  const odd = key.find(isCutOff);
  if (odd !== undefined) {
    const message = `${name}: keys of type ${typeText(odd.type)} (${odd.name}) are read to the microsecond alone, and could be mixed up`;
    throw new FrazilError("unsupported", "KEY_TYPE", message);
  }
  if ("keys" in choice && key.length > 1) {
    const names = key.map((field) => field.name);
    throw new FrazilError("config", "BAD_KEYS", `the key of ${name} has ${names.length} columns: ${names.join(", ")}`, {
      hint: `name the rows by a condition: --where "${names.map((each) => `${each} = …`).join(" and ")}"`,
    });
  }
  return key;
}

/** The condition of rows with these keys. @throws FrazilError `config`, code `BAD_KEYS`, naming those that are none. */
async function keyCondition(
  duckdb: Duckdb,
  at: TableAt,
  [field]: readonly NestedField[],
  keys: readonly string[],
): Promise<string> {
  if (field === undefined) return "false";
  const type = duckdbType(field.type);
  const values = keys.map((each) => `(${quoteText(each)})`).join(", ");
  const listed = `(VALUES ${values}) k(v)`;
  const bad = await allRows(await duckdb.query(`SELECT v FROM ${listed} WHERE TRY_CAST(v AS ${type}) IS NULL`));
  const wrong = [...new Set([...bad.map(([value]) => String(value)), ...keys.filter((each) => !isExact(field, each))])];
  if (wrong.length > 0) {
    const text = wrong.slice(0, 3).map((value) => `"${value}"`);
    throw new FrazilError(
      "config",
      "BAD_KEYS",
      `${identText(at.table.ident)}: expected keys of type ${typeText(field.type)} (${field.name}), found ${text.join(", ")}`,
    );
  }
  return `${quoteName(field.name)} IN (SELECT CAST(v AS ${type}) FROM ${listed})`;
}

/** Whether a number has no more digits than its type: DuckDB would round it to another one. */
function isExact({ type }: NestedField, text: string): boolean {
  if (type.kind === "int" || type.kind === "long") return /^[+-]?\d+$/.test(text);
  return type.kind !== "decimal" || new RegExp(`^[+-]?\\d+(\\.\\d{0,${type.scale}})?$`).test(text);
}

/** A table of rows under their internal names, with whether each is chosen: the condition knows the table's own names. */
function placedTable({ schema }: TableAt, name: string, select: string, chosen: string): string {
  const renamed = schema.fields.map((field) => `${columnName(field)} AS ${quoteName(field.name)}`);
  const back = schema.fields.map((field) => `${quoteName(field.name)} AS ${columnName(field)}`);
  return `CREATE TABLE _frazil.${name} AS
    SELECT ${[FILE, POSITION, ...back].join(", ")}, coalesce(${chosen}, false) AS ${CHOSEN}
    FROM (SELECT ${[FILE, POSITION, ...renamed].join(", ")} FROM (${select}))`;
}

/** That a row of then and one of now are equal in these columns. */
function same(fields: readonly NestedField[]): string {
  return fields.map((field) => `p.${columnName(field)} IS NOT DISTINCT FROM n.${columnName(field)}`).join(" AND ");
}

function place(files: PlacedRows["files"], file: DuckDBValue, position: DuckDBValue): RowPlace {
  return { file: files[Number(file)] as RowPlace["file"], position: Number(position) };
}

async function find(
  duckdb: Duckdb,
  { schema }: TableAt,
  key: readonly NestedField[],
  pastFiles: PlacedRows["files"],
  presentFiles: PlacedRows["files"],
  removeNew: boolean,
): Promise<RestoredRows> {
  const query = async (sql: string) => allRows(await duckdb.query(sql));
  const differing = await query(
    `SELECT p.${FILE}, p.${POSITION}, n.${FILE}, n.${POSITION}
     FROM _frazil.past p LEFT JOIN _frazil.present n ON ${same(key)}
     WHERE p.${CHOSEN} AND (n.${FILE} IS NULL OR NOT (${same(schema.fields)}))
     ORDER BY 1, 2`,
  );
  const newer = await query(
    `SELECT n.${FILE}, n.${POSITION} FROM _frazil.present n ANTI JOIN _frazil.past p ON ${same(key)}
     WHERE n.${CHOSEN} ORDER BY 1, 2`,
  );
  const rows = differing.map(([pastFile = null, pastPosition = null, file = null, position = null]): RestoredRow => ({
    before: place(pastFiles, pastFile, pastPosition),
    now: file === null ? null : place(presentFiles, file, position),
  }));
  const gone = newer.map(([file = null, position = null]) => place(presentFiles, file, position));
  return removeNew ? { rows, removed: gone, newer: 0 } : { rows, removed: [], newer: gone.length };
}

/** Rows of which the values are held at once to be compared exactly: some ten megabytes. */
const COMPARED_ROWS = 65_536;

/** Chosen rows of then and now that are one to DuckDB and differ in digits of a time that it does not read. */
async function equalToDuckdb(
  duckdb: Duckdb,
  { schema }: TableAt,
  key: readonly NestedField[],
  pastFiles: PlacedRows["files"],
  presentFiles: PlacedRows["files"],
  differing: (fields: readonly NestedField[], pairs: readonly RowPair[]) => Promise<readonly RowPair[]>,
): Promise<RestoredRow[]> {
  const fields = schema.fields.filter(({ type }) => isCutOffWithin(type));
  if (fields.length === 0) return [];
  const equal = await duckdb.query(
    `SELECT p.${FILE}, p.${POSITION}, n.${FILE}, n.${POSITION}
     FROM _frazil.past p JOIN _frazil.present n ON ${same(key)}
     WHERE p.${CHOSEN} AND ${same(schema.fields)}
     ORDER BY 1, 2`,
  );
  const found: RestoredRow[] = [];
  let pairs: RowPair[] = [];
  for await (const rows of equal.chunks()) {
    for (const [pastFile = null, pastPosition = null, file = null, position = null] of rows) {
      pairs.push({ before: place(pastFiles, pastFile, pastPosition), now: place(presentFiles, file, position) });
    }
    if (pairs.length < COMPARED_ROWS) continue;
    found.push(...(await differing(fields, pairs)));
    pairs = [];
  }
  return [...found, ...(await differing(fields, pairs))];
}
