import { FrazilError, identText, type LoadedTable, type Snapshot, type TableIdent } from "../../table-format/index.ts";
import { tableAsOf, tableAt } from "./as-of.ts";
import { type Duckdb, openDuckdb, type ResultRows } from "./duckdb.ts";
import { quoteName } from "./duckdb-types.ts";
import { type Holds, heldTable, release } from "./held-table.ts";
import { type LocalFiles, openLocalFiles } from "./local-files.ts";
import type { QueryTables } from "./query.ts";
import type { QueryWarehouse } from "./query-warehouse.ts";
import { findTables, hintAtTable, listTables, type NamedTable } from "./table-names.ts";
import { prepareTable } from "./table-rows.ts";

/** One DuckDB for many statements: what one of them makes or sets (temporary tables, views, variables, settings) is there for the next. */
export interface QuerySession {
  /**
   * Runs one statement. The tables that it names, and those named before, are as of `asOf`, or else of now. Read all rows before the
   * next call.
   *
   * @throws FrazilError as `openQuery`.
   */
  query(sql: string, asOf: string | null): Promise<ResultRows & { readonly tables: QueryTables }>;
  close(): Promise<void>;
}

/** A view of a table, as it was made. */
interface View {
  readonly ident: TableIdent;
  readonly unqualified: boolean;
  readonly snapshot: Snapshot | null;
  readonly schemaId: number;
  /** The point that was asked for; null = now. */
  readonly asOf: string | null;
  readonly deletes: string;
  readonly holds: Holds;
}

/** Opens a session. Its statements can open the files of the warehouse's tables and no others, and write none. */
export async function openSession(warehouse: QueryWarehouse): Promise<QuerySession> {
  const files = await openLocalFiles(warehouse);
  try {
    const duckdb = await openDuckdb(files.folder);
    await duckdb.confine([files.folder, ...(await tableFolders(warehouse))]);
    return new Session(warehouse, files, duckdb);
  } catch (error) {
    await files.close();
    throw error;
  }
}

class Session implements QuerySession {
  readonly #warehouse: QueryWarehouse;
  readonly #files: LocalFiles;
  readonly #duckdb: Duckdb;
  readonly #views = new Map<string, View>();
  /** Of views that may still be there. */
  readonly #held: Holds = [];
  #count = 0;

  constructor(warehouse: QueryWarehouse, files: LocalFiles, duckdb: Duckdb) {
    this.#warehouse = warehouse;
    this.#files = files;
    this.#duckdb = duckdb;
  }

  async query(sql: string, asOf: string | null): Promise<ResultRows & { readonly tables: QueryTables }> {
    const named = await findTables(this.#warehouse, this.#duckdb, sql);
    const tables = [];
    for (const table of named) tables.push(await this.#view(table, asOf));
    await this.#refresh(named, asOf);
    const rows = await this.#duckdb.query(sql).catch(async (error: unknown) => {
      throw await hintAtTable(error, this.#warehouse.catalog);
    });
    // It may have been one of our views.
    if (/^\s*(drop|alter)\b/i.test(sql)) {
      for (const { holds } of this.#views.values()) this.#held.push(...holds);
      this.#views.clear();
    }
    return { ...rows, tables };
  }

  /** What a view of the user's reads was named before, and may have moved on since. */
  async #refresh(named: readonly NamedTable[], asOf: string | null): Promise<void> {
    const done = new Set(named.map(({ table }) => identText(table.ident)));
    for (const [name, { ident, unqualified }] of this.#views) {
      if (done.has(name)) continue;
      const table = await this.#warehouse.catalog.loadTable(ident);
      if (table !== null && hasPoint(table, asOf)) await this.#view({ table, unqualified }, asOf);
      else await this.#drop(name);
    }
  }

  async #view({ table, unqualified }: NamedTable, asOf: string | null): Promise<View> {
    const name = identText(table.ident);
    const before = this.#views.get(name);
    const { currentSchemaId: schemaId } = table.metadata;
    const bare = unqualified || (before?.unqualified ?? false);
    const now = tableAt(table, asOf).snapshot;
    if (
      before?.unqualified === bare &&
      before.asOf === asOf &&
      before.snapshot?.snapshotId === now?.snapshotId &&
      before.schemaId === schemaId
    ) {
      return before;
    }
    const deletes = `deletes_${this.#count++}`;
    const holds: Holds = [];
    const at = await heldTable(this.#warehouse, table, (now) => tableAt(now, asOf), holds);
    const { select } = await prepareTable(this.#warehouse.io, this.#duckdb, this.#files, at, deletes);
    const schema = quoteName(table.ident.namespace.join("."));
    await this.#duckdb.run(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
    await this.#duckdb.run(`CREATE OR REPLACE VIEW ${schema}.${quoteName(table.ident.name)} AS ${select}`);
    if (bare) await this.#duckdb.createBareView(table.ident.name, select);
    if (before !== undefined) {
      await this.#duckdb.run(`DROP TABLE IF EXISTS _frazil.${before.deletes}`);
      await release(before.holds);
    }
    const view = { ident: table.ident, unqualified: bare, snapshot: at.snapshot, schemaId, asOf, deletes, holds };
    this.#views.set(name, view);
    return view;
  }

  async #drop(name: string): Promise<void> {
    const view = this.#views.get(name);
    if (view === undefined) return;
    const schema = quoteName(view.ident.namespace.join("."));
    await this.#duckdb.run(`DROP VIEW IF EXISTS ${schema}.${quoteName(view.ident.name)}`);
    if (view.unqualified) await this.#duckdb.dropBareView(view.ident.name);
    await this.#duckdb.run(`DROP TABLE IF EXISTS _frazil.${view.deletes}`);
    this.#views.delete(name);
    await release(view.holds);
  }

  async close(): Promise<void> {
    this.#duckdb.close();
    for (const { holds } of this.#views.values()) await release(holds);
    await release(this.#held);
    await this.#files.close();
  }
}

/** A point in the past need not be in every table that was ever named. */
function hasPoint(table: LoadedTable, asOf: string | null): boolean {
  if (asOf === null) return true;
  try {
    tableAsOf(table, asOf);
    return true;
  } catch (error) {
    if (error instanceof FrazilError && error.code === "SNAPSHOT_NOT_FOUND") return false;
    throw error;
  }
}

/** The folders of a local warehouse; a table may lie outside of it. */
async function tableFolders({ catalog, location, localPath, roots }: QueryWarehouse): Promise<readonly string[]> {
  if (localPath === null) return [];
  if (roots !== null && roots !== undefined) return [...new Set(roots.map(localPath))];
  const locations = [location];
  for (const ident of await listTables(catalog)) {
    const table = await catalog.loadTable(ident);
    if (table !== null && !table.metadata.location.startsWith(`${location}/`)) locations.push(table.metadata.location);
  }
  return locations.map(localPath);
}
