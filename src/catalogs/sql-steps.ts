/** A row by the names of its columns. */
export type SqlRow = Readonly<Record<string, unknown>>;

/** One statement of the SQL that SQLite and PostgreSQL share; `?` stands for each parameter in turn, and for nothing else. */
export interface SqlStatement {
  readonly sql: string;
  readonly parameters: readonly string[];
}

/**
 * What is done on a connection, statement by statement: each is given out, and its rows come back. Written once, it runs at a stroke on
 * SQLite, where other work of the process must not come between, and with a wait for each answer on a server.
 */
export type SqlSteps<T> = Generator<SqlStatement, T, readonly SqlRow[]>;

/** One statement as steps. */
export function* query(sql: string, ...parameters: readonly string[]): SqlSteps<readonly SqlRow[]> {
  return yield { sql, parameters };
}

/** The condition that a column begins with a text, which is its parameter twice. */
export function beginsWith(column: string): string {
  return `substr(${column}, 1, length(CAST(? AS TEXT))) = ?`;
}

/**
 * What became of a transaction.
 * - `committed`: all of it is in effect. `lost` is why the answer did not come, if the database said so only when it was asked afterwards.
 * - `refused`: nothing is, for the reason that the steps gave. - `aborted`: nothing is, and the database says so.
 * - `unknown`: the database gave no answer, then or afterwards.
 */
export type Written<R> =
  | { readonly outcome: "committed"; readonly lost: unknown }
  | { readonly outcome: "refused"; readonly reason: R }
  | { readonly outcome: "aborted"; readonly cause: unknown }
  | { readonly outcome: "unknown"; readonly cause: unknown };

/** A database with the layout of Java's JDBC catalog. */
export interface SqlDatabase {
  /** Runs steps that only read. */
  read<T>(steps: () => SqlSteps<T>): Promise<T>;
  /**
   * Runs steps in one transaction. Where they give null it is committed, anything else is the reason why not. What they throw undoes the
   * transaction and is thrown.
   */
  write<R>(steps: () => SqlSteps<R | null>): Promise<Written<R>>;
  close(): Promise<void>;
}
