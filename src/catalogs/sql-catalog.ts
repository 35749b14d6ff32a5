import {
  attemptCommit,
  type CatalogContext,
  checkChanges,
  checkIdent,
  type Claim,
  type CommitOutcome,
  conflictOutcome,
  deleteFiles,
  deleteForgotten,
  type FileIO,
  type LoadedTable,
  type ManagedCatalog,
  MetadataFiles,
  noTable,
  ownFiles,
  type PreparedChange,
  prepareChange,
  type TableChange,
  type TableIdent,
  tableLocation,
} from "../../table-format/index.ts";
import { FrazilError, must } from "../core/errors.ts";
import { SqlNamespaces } from "./sql-namespaces.ts";
import type { SqlDatabase, SqlSteps, Written } from "./sql-steps.ts";
import {
  claimsBelow,
  claimValue,
  drop,
  dropForPurge,
  entryNames,
  pointer,
  register,
  rename,
  swapAll,
} from "./sql-tables.ts";

export interface SqlCatalogOptions extends CatalogContext {
  /** `catalog_name` of our rows: what other engines must call the catalog to see the tables. */
  readonly name: string;
  readonly warehouseLocation: string;
  readonly io: FileIO;
}

/**
 * A catalog in a database that Java's JDBC catalog and PyIceberg's SQL catalog share. All tables of a commit and its claim go into one
 * transaction.
 */
export class SqlCatalog implements ManagedCatalog {
  readonly name: string;
  readonly atomicAcrossTables = true;
  readonly claims = true;
  readonly namespaces: SqlNamespaces;
  readonly #database: SqlDatabase;
  readonly #options: SqlCatalogOptions;
  readonly #files: MetadataFiles;

  constructor(database: SqlDatabase, options: SqlCatalogOptions) {
    this.name = options.name;
    this.namespaces = new SqlNamespaces(options.name, database, (steps) => this.#settle(steps));
    this.#database = database;
    this.#options = options;
    this.#files = new MetadataFiles(options.io);
  }

  listNamespaces(): Promise<readonly (readonly string[])[]> {
    return this.namespaces.list();
  }

  ensureNamespace(namespace: readonly string[]): Promise<void> {
    return this.namespaces.ensure(namespace);
  }

  async listTables(namespace: readonly string[]): Promise<readonly TableIdent[]> {
    const names = await this.#database.read(() => entryNames(this.name, namespace.join("."), "table"));
    return names.map((name) => ({ namespace, name }));
  }

  async loadTable(ident: TableIdent): Promise<LoadedTable | null> {
    return this.#files.follow(ident, () => this.#database.read(() => pointer(this.name, ident)));
  }

  defaultLocation(ident: TableIdent): string {
    return tableLocation(this.#options.warehouseLocation, ident);
  }

  async commit(changes: readonly TableChange[], claim?: Claim): Promise<CommitOutcome> {
    checkChanges(changes);
    for (const change of changes) checkIdent(change.ident);
    const { io } = this.#options;
    return attemptCommit(async () => {
      const prepared: PreparedChange[] = [];
      for (const change of changes) {
        const base = await this.loadTable(change.ident);
        const result = await prepareChange(io, this.#options, base, change);
        if (result.outcome === "conflict") return result;
        prepared.push(result);
      }
      // The commit point of all tables.
      const written = await this.#database.write(() => swapAll(this.name, prepared, claim));
      if (written.outcome === "refused") return written.reason;
      const tables = prepared.map(({ next }) => next);
      if (written.outcome === "aborted") {
        return conflictOutcome(must(tables[0], "one table").ident, `the database took it back: ${text(written.cause)}`);
      }
      if (!(await this.#isInEffect(written, tables))) {
        return { outcome: "unknown", cause: written.outcome === "unknown" ? written.cause : written.lost };
      }
      for (const { metadataLocation, metadata } of tables) this.#files.remember(metadataLocation, metadata);
      await deleteForgotten(io, prepared);
      return { outcome: "committed", tables };
    });
  }

  /**
   * Whether a transaction is in effect. One that was not answered is looked for in the table, though the database may have said that it
   * was committed: it may be another one by now, which took over with what it had. One table proves all, since the transaction is one.
   */
  async #isInEffect(written: Written<unknown>, tables: readonly LoadedTable[]): Promise<boolean> {
    if (written.outcome === "committed" && written.lost === null) return true;
    const { ident, metadataLocation } = must(tables[0], "one table");
    try {
      const current = await this.loadTable(ident);
      if (current === null || current.metadataLocation === metadataLocation) return current !== null;
      return current.metadata.metadataLog.some(({ metadataFile }) => metadataFile === metadataLocation);
    } catch {
      // The cause of the lost answer says more than a second failure.
      return false;
    }
  }

  async registerTable(ident: TableIdent, metadataLocation: string): Promise<LoadedTable> {
    checkIdent(ident);
    const metadata = await this.#files.load(metadataLocation);
    await this.#settle(() => register(this.name, ident, metadataLocation));
    return { ident, metadata, metadataLocation };
  }

  async renameTable(from: TableIdent, to: TableIdent): Promise<void> {
    checkIdent(to);
    await this.#settle(() => rename(this.name, from, to));
  }

  async dropTable(ident: TableIdent, purge: boolean): Promise<void> {
    if (!purge) return this.#settle(() => drop(this.name, ident));
    const table = await this.loadTable(ident);
    if (table === null) throw noTable(ident);
    const files = await ownFiles(this.#options.io, table);
    await this.#settle(() => dropForPurge(this.name, table));
    await deleteFiles(this.#options.io, files);
  }

  readClaim(key: string): Promise<string | null> {
    return this.#database.read(() => claimValue(this.name, key));
  }

  listClaims(prefix: string): Promise<readonly Claim[]> {
    return this.#database.read(() => claimsBelow(this.name, prefix));
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  /** @throws FrazilError `unavailable` when it cannot be told whether the transaction is in effect. */
  async #settle(steps: () => SqlSteps<null>): Promise<void> {
    const written = await this.#database.write(steps);
    if (written.outcome === "committed" || written.outcome === "refused") return;
    const { cause } = written;
    if (cause instanceof FrazilError) throw cause;
    throw new FrazilError("unavailable", "CATALOG_NO_ANSWER", `catalog ${this.name}: ${text(cause)}`, { cause });
  }
}

function text(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
