import {
  type Catalog,
  FrazilError,
  identText,
  type LoadedTable,
  parseIdent,
  type TableIdent,
} from "../../table-format/index.ts";
import { nearest } from "../config/suggest.ts";
import type { Duckdb } from "./duckdb.ts";

/** A table that a statement names. */
export interface NamedTable {
  readonly table: LoadedTable;
  /** Named without its namespace, which only one table of the warehouse allows. */
  readonly unqualified: boolean;
}

/** Namespaces of DuckDB's own tables. */
const DUCKDB_SCHEMAS: ReadonlySet<string> = new Set(["information_schema", "pg_catalog", "main", "temp", "system"]);

/**
 * The tables of a warehouse that a statement reads. A name that is not there letter by letter is compared as SQL does, without
 * regard to case.
 *
 * @throws FrazilError `not-found`, code `TABLE_NOT_FOUND`; `config`, code `SQL_ERROR`, for a bare name that several namespaces have.
 */
export async function findTables(
  warehouse: { readonly catalog: Catalog; readonly location: string },
  duckdb: Pick<Duckdb, "tableNames">,
  sql: string,
): Promise<readonly NamedTable[]> {
  const { catalog } = warehouse;
  let listed: readonly TableIdent[] | null = null;
  const list = async (): Promise<readonly TableIdent[]> => (listed ??= await listTables(catalog));
  const found = new Map<string, NamedTable>();
  const add = async (ident: TableIdent, unqualified: boolean): Promise<boolean> => {
    const name = identText(ident);
    const known = found.get(name);
    const table = known?.table ?? (await catalog.loadTable(ident));
    if (table !== null) found.set(name, { table, unqualified: unqualified || (known?.unqualified ?? false) });
    return table !== null;
  };

  const names = duckdb.tableNames(sql);
  for (const name of names) {
    const parts = nameParts(name);
    const exact: TableIdent = { namespace: parts.slice(0, -1), name: parts.at(-1) ?? "" };
    if (parts.length > 1 && (DUCKDB_SCHEMAS.has(exact.namespace.join(".").toLowerCase()) || (await add(exact, false))))
      continue;
    const ident = matching(await list(), exact);
    if (ident !== null) await add(ident, parts.length === 1);
    // A bare name may be one of DuckDB's own, which knows best.
    else if (parts.length > 1) throw notFound(identText(exact), warehouse.location, await list());
  }
  if (names.length === 0) {
    // DuckDB's parser gives no names of some statements (PIVOT): every table whose name stands in the text.
    const text = sql.toLowerCase().replaceAll('"', "");
    for (const ident of await list()) if (text.includes(identText(ident).toLowerCase())) await add(ident, false);
  }
  return [...found.values()];
}

/** Every table of a catalog, by name. */
export async function listTables(catalog: Catalog): Promise<readonly TableIdent[]> {
  const tables: TableIdent[] = [];
  for (const namespace of await catalog.listNamespaces()) tables.push(...(await catalog.listTables(namespace)));
  return tables.sort((a, b) => (identText(a) < identText(b) ? -1 : 1));
}

/**
 * The table that a user named, `namespace.table`.
 *
 * @throws FrazilError `not-found`, code `TABLE_NOT_FOUND`, with the nearest name there is.
 */
export async function namedTable(
  { catalog, location }: { readonly catalog: Catalog; readonly location: string },
  name: string,
): Promise<LoadedTable> {
  const table = name.includes(".") ? await catalog.loadTable(parseIdent(name)) : null;
  if (table !== null) return table;
  throw notFound(name, location, await listTables(catalog));
}

/** The error for a table that is not there, with the nearest name that is. */
export function notFound(name: string, location: string, idents: readonly TableIdent[]): FrazilError {
  const near = nearTable(name, idents);
  return new FrazilError("not-found", "TABLE_NOT_FOUND", `there is no table ${name} in ${location}`, {
    hint: near === null ? "frazil tables lists the tables there are" : `did you mean ${near}?`,
  });
}

/**
 * What DuckDB says of a table that it does not know, with the table of the warehouse that is likely meant.
 *
 * @param error Whatever a statement failed with; all else stays as it is.
 */
export async function hintAtTable(error: unknown, catalog: Catalog): Promise<unknown> {
  if (!(error instanceof FrazilError) || error.code !== "SQL_ERROR") return error;
  const name = /^Catalog Error: Table with name (.+?) does not exist!/.exec(error.message)?.[1];
  const near = name === undefined ? null : nearTable(name, await listTables(catalog));
  if (near === null) return error;
  return new FrazilError(error.kind, error.code, error.message.replace(/\nDid you mean .*/, ""), {
    cause: error.cause,
    hint: `did you mean ${near}?`,
  });
}

/** Tables of this name in any namespace, else the one that is spelled nearest, its namespace written or not. */
function nearTable(name: string, idents: readonly TableIdent[]): string | null {
  const bare = name.split(".").at(-1)?.toLowerCase();
  const namesakes = idents.filter((ident) => ident.name.toLowerCase() === bare);
  if (namesakes.length > 0) return namesakes.map(identText).join(" or ");
  const near = nearest(name, idents.map(identText));
  if (near !== null) return near;
  const nearBare = nearest(
    name,
    idents.map((ident) => ident.name),
  );
  const ident = idents.find((candidate) => candidate.name === nearBare);
  return ident === undefined ? null : identText(ident);
}

function matching(idents: readonly TableIdent[], wanted: TableIdent): TableIdent | null {
  const namespace = wanted.namespace.join(".").toLowerCase();
  const matches = idents.filter(
    (ident) =>
      ident.name.toLowerCase() === wanted.name.toLowerCase() &&
      (namespace === "" || ident.namespace.join(".").toLowerCase() === namespace),
  );
  if (matches.length > 1) {
    const list = matches.map(identText).join(", ");
    throw new FrazilError(
      "config",
      "SQL_ERROR",
      `table ${identText(wanted)} may be any of ${list}; write its namespace too`,
    );
  }
  return matches[0] ?? null;
}

/** The parts of `shop."or.ders"`. */
function nameParts(name: string): string[] {
  const parts: string[] = [];
  for (const match of name.matchAll(/"((?:[^"]|"")*)"|[^.]+/g)) parts.push(match[1]?.replaceAll('""', '"') ?? match[0]);
  return parts;
}
