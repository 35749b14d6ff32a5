import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  attemptCommit,
  type Catalog,
  type CatalogContext,
  checkChanges,
  checkIdent,
  checkNames,
  type Claim,
  type CommitOutcome,
  conflictOutcome,
  deleteForgotten,
  type FileIO,
  identText,
  type LoadedTable,
  lostRace,
  MetadataFiles,
  type PreparedChange,
  prepareChange,
  type TableChange,
  type TableIdent,
  tableLocation,
} from "../../table-format/index.ts";
import { must } from "../core/errors.ts";
import { sqliteError } from "./sqlite-errors.ts";
import { prepareDatabase } from "./sqlite-schema.ts";

export interface SqliteCatalogOptions extends CatalogContext {
  /** The catalog's file; made, with its folder, when missing. */
  readonly path: string;
  /** `catalog_name` of our rows: what other engines must call the catalog to see the tables. */
  readonly name: string;
  readonly warehouseLocation: string;
  readonly io: FileIO;
}

/**
 * Opens the catalog in a SQLite file that Java's JDBC catalog and PyIceberg share. All tables of a commit and its claim go into one
 * transaction.
 * @throws FrazilError kind `io` or `permission` when the file cannot be opened, `corrupt` when it is no SQLite file.
 */
export function openSqliteCatalog(options: SqliteCatalogOptions): Catalog {
  try {
    mkdirSync(dirname(options.path), { recursive: true });
    const database = new DatabaseSync(options.path);
    prepareDatabase(database);
    return new SqliteCatalog(database, options);
  } catch (cause) {
    throw sqliteError(cause, options.path);
  }
}

const KEY = "catalog_name = ? AND table_namespace = ? AND table_name = ?";
/** NULL from before the column, as both other implementations read it; views are not ours. */
const IS_TABLE = "(iceberg_type = 'TABLE' OR iceberg_type IS NULL)";

class SqliteCatalog implements Catalog {
  readonly name: string;
  readonly atomicAcrossTables = true;
  readonly claims = true;
  readonly #database: DatabaseSync;
  readonly #options: SqliteCatalogOptions;
  readonly #files: MetadataFiles;

  constructor(database: DatabaseSync, options: SqliteCatalogOptions) {
    this.name = options.name;
    this.#database = database;
    this.#options = options;
    this.#files = new MetadataFiles(options.io);
  }

  async listNamespaces(): Promise<readonly (readonly string[])[]> {
    const rows = this.#all(
      `SELECT namespace FROM iceberg_namespace_properties WHERE catalog_name = ?
       UNION SELECT table_namespace FROM iceberg_tables WHERE catalog_name = ? ORDER BY 1`,
      [this.name, this.name],
    );
    return rows.map((row) => String(row["namespace"]).split("."));
  }

  async ensureNamespace(namespace: readonly string[]): Promise<void> {
    checkNames(namespace);
    this.#guarded(() => this.#insertNamespace(namespace));
  }

  async listTables(namespace: readonly string[]): Promise<readonly TableIdent[]> {
    const rows = this.#all(
      `SELECT table_name FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ? AND ${IS_TABLE} ORDER BY 1`,
      [this.name, namespace.join(".")],
    );
    return rows.map((row) => ({ namespace, name: String(row["table_name"]) }));
  }

  async loadTable(ident: TableIdent): Promise<LoadedTable | null> {
    return this.#files.follow(ident, async () => this.#pointer(ident));
  }

  defaultLocation(ident: TableIdent): string {
    return tableLocation(this.#options.warehouseLocation, ident);
  }

  async commit(changes: readonly TableChange[], claim?: Claim): Promise<CommitOutcome> {
    checkChanges(changes);
    for (const change of changes) checkIdent(change.ident);
    return attemptCommit(async () => {
      const prepared: PreparedChange[] = [];
      for (const change of changes) {
        const base = await this.loadTable(change.ident);
        const result = await prepareChange(this.#options.io, this.#options, base, change);
        if (result.outcome === "conflict") return result;
        prepared.push(result);
      }
      const outcome = this.#swap(prepared, claim);
      if (outcome.outcome === "committed") await deleteForgotten(this.#options.io, prepared);
      return outcome;
    });
  }

  async readClaim(key: string): Promise<string | null> {
    const sql = "SELECT claim_value FROM frazil_claims WHERE catalog_name = ? AND claim_key = ?";
    const [row] = this.#all(sql, [this.name, key]);
    return row === undefined ? null : String(row["claim_value"]);
  }

  async listClaims(prefix: string): Promise<readonly Claim[]> {
    const sql = `SELECT claim_key, claim_value FROM frazil_claims
      WHERE catalog_name = ? AND substr(claim_key, 1, length(?)) = ? ORDER BY 1`;
    const rows = this.#all(sql, [this.name, prefix, prefix]);
    return rows.map((row) => ({ key: String(row["claim_key"]), value: String(row["claim_value"]) }));
  }

  async close(): Promise<void> {
    if (this.#database.isOpen) this.#database.close();
  }

  #pointer(ident: TableIdent): string | null {
    const sql = `SELECT metadata_location FROM iceberg_tables WHERE ${KEY} AND ${IS_TABLE}`;
    const [row] = this.#all(sql, this.#key(ident));
    return row === undefined ? null : String(row["metadata_location"]);
  }

  /** One transaction, without a pause for other work of this process in between. */
  #swap(prepared: readonly PreparedChange[], claim: Claim | undefined): CommitOutcome {
    const tables = prepared.map(({ next }) => next);
    const refusal = this.#guarded(() => {
      this.#database.exec("BEGIN IMMEDIATE");
      try {
        const found = this.#claimHeld(tables, claim) ?? prepared.map((change) => this.#swapOne(change)).find(isRefusal);
        if (found !== undefined) this.#database.exec("ROLLBACK");
        return found ?? null;
      } catch (error) {
        // Some errors have ended the transaction already.
        if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
        throw error;
      }
    });
    if (refusal !== null) return refusal;
    try {
      // The commit point of all tables.
      this.#database.exec("COMMIT");
    } catch (cause) {
      return this.#resolve(tables, cause);
    }
    for (const table of tables) this.#files.remember(table.metadataLocation, table.metadata);
    return { outcome: "committed", tables };
  }

  /** After a COMMIT that failed: the file says what happened, if it can be read. One row proves all, since the transaction is one. */
  #resolve(tables: readonly LoadedTable[], cause: unknown): CommitOutcome {
    try {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      const [table] = tables;
      if (table !== undefined && this.#pointer(table.ident) === table.metadataLocation) {
        return { outcome: "committed", tables };
      }
    } catch {
      // The cause below says more than a second failure.
    }
    return { outcome: "unknown", cause: sqliteError(cause, this.#options.path) };
  }

  /** A refusal when the claim is held with another value; else records it. */
  #claimHeld(tables: readonly LoadedTable[], claim: Claim | undefined): CommitOutcome | undefined {
    if (claim === undefined) return undefined;
    const key = [this.name, claim.key];
    this.#database
      .prepare("INSERT OR IGNORE INTO frazil_claims (catalog_name, claim_key, claim_value) VALUES (?, ?, ?)")
      .run(...key, claim.value);
    const row = this.#database
      .prepare("SELECT claim_value FROM frazil_claims WHERE catalog_name = ? AND claim_key = ?")
      .get(...key);
    const held = String(row?.["claim_value"]);
    if (held === claim.value) return undefined;
    return conflictOutcome(must(tables[0], "one table").ident, `${claim.key} is claimed by ${held}`);
  }

  /** Moves one row on, if it still names what the change was built on. */
  #swapOne({ base, next }: PreparedChange): CommitOutcome | null {
    const { ident, metadataLocation } = next;
    if (base === null) {
      this.#insertNamespace(ident.namespace);
      const { changes } = this.#database
        .prepare(
          `INSERT OR IGNORE INTO iceberg_tables
           (catalog_name, table_namespace, table_name, metadata_location, previous_metadata_location, iceberg_type)
           VALUES (?, ?, ?, ?, NULL, 'TABLE')`,
        )
        .run(...this.#key(ident), metadataLocation);
      return Number(changes) === 1 ? null : conflictOutcome(ident, `${identText(ident)} exists already`);
    }
    const { changes } = this.#database
      .prepare(
        `UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = ?
         WHERE ${KEY} AND ${IS_TABLE} AND metadata_location = ?`,
      )
      .run(metadataLocation, base.metadataLocation, ...this.#key(ident), base.metadataLocation);
    return Number(changes) === 1 ? null : lostRace(ident);
  }

  #insertNamespace(namespace: readonly string[]): void {
    this.#database
      .prepare(
        `INSERT OR IGNORE INTO iceberg_namespace_properties (catalog_name, namespace, property_key, property_value)
         VALUES (?, ?, 'exists', 'true')`,
      )
      .run(this.name, namespace.join("."));
  }

  #key(ident: TableIdent): [string, string, string] {
    return [this.name, ident.namespace.join("."), ident.name];
  }

  #all(sql: string, parameters: readonly string[]): Record<string, unknown>[] {
    return this.#guarded(() => this.#database.prepare(sql).all(...parameters));
  }

  #guarded<T>(action: () => T): T {
    try {
      return action();
    } catch (cause) {
      throw sqliteError(cause, this.#options.path);
    }
  }
}

function isRefusal(outcome: CommitOutcome | null): outcome is CommitOutcome {
  return outcome !== null;
}
