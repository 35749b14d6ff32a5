import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { ManagedCatalog } from "../../table-format/index.ts";
import { SqlCatalog, type SqlCatalogOptions } from "./sql-catalog.ts";
import type { SqlDatabase, SqlSteps, Written } from "./sql-steps.ts";
import { sqliteError } from "./sqlite-errors.ts";
import { prepareDatabase } from "./sqlite-schema.ts";

export interface SqliteCatalogOptions extends SqlCatalogOptions {
  /** The catalog's file; made, with its folder, when missing. */
  readonly path: string;
}

/**
 * Opens the catalog in a SQLite file.
 * @throws FrazilError kind `io` or `permission` when the file cannot be opened, `corrupt` when it is no SQLite file.
 */
export function openSqliteCatalog(options: SqliteCatalogOptions): ManagedCatalog {
  try {
    mkdirSync(dirname(options.path), { recursive: true });
    const database = new DatabaseSync(options.path);
    prepareDatabase(database);
    return new SqlCatalog(new SqliteDatabase(database, options.path), options);
  } catch (cause) {
    throw sqliteError(cause, options.path);
  }
}

class SqliteDatabase implements SqlDatabase {
  readonly #database: DatabaseSync;
  readonly #path: string;

  constructor(database: DatabaseSync, path: string) {
    this.#database = database;
    this.#path = path;
  }

  async read<T>(steps: () => SqlSteps<T>): Promise<T> {
    return this.#guarded(() => this.#run(steps()));
  }

  /** One transaction, without a pause for other work of this process in between. */
  async write<R>(steps: () => SqlSteps<R | null>): Promise<Written<R>> {
    const reason = this.#guarded(() => {
      this.#database.exec("BEGIN IMMEDIATE");
      try {
        const refusal = this.#run(steps());
        if (refusal !== null) this.#database.exec("ROLLBACK");
        return refusal;
      } catch (error) {
        // Some errors have ended the transaction already.
        if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
        throw error;
      }
    });
    if (reason !== null) return { outcome: "refused", reason };
    try {
      this.#database.exec("COMMIT");
      return { outcome: "committed", lost: null };
    } catch (cause) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      return { outcome: "unknown", cause: sqliteError(cause, this.#path) };
    }
  }

  async close(): Promise<void> {
    if (this.#database.isOpen) this.#database.close();
  }

  #run<T>(steps: SqlSteps<T>): T {
    let step = steps.next();
    while (step.done !== true) {
      const { sql, parameters } = step.value;
      step = steps.next(this.#database.prepare(sql).all(...parameters));
    }
    return step.value;
  }

  #guarded<T>(action: () => T): T {
    try {
      return action();
    } catch (cause) {
      throw sqliteError(cause, this.#path);
    }
  }
}
