import pg from "pg";
import { FrazilError } from "../core/errors.ts";
import {
  CATALOG_ANSWER_MS,
  CATALOG_ATTEMPTS,
  CATALOG_CONNECT_MS,
  CATALOG_CONNECTIONS,
  CATALOG_FIRST_PAUSE_MS,
  CATALOG_IDLE_TRANSACTION_MS,
  CATALOG_LOCK_MS,
} from "../core/limits.ts";
import { isUnavailable, postgresError } from "./postgres-errors.ts";
import type { SqlDatabase, SqlRow, SqlStatement, SqlSteps, Written } from "./sql-steps.ts";

/** How a PostgreSQL server is reached. */
export interface PostgresAddress {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** Absent: `PGPASSWORD` of the environment, or none. */
  readonly password?: string | undefined;
  /** Node's TLS options; null: none. */
  readonly tls: object | null;
}

/**
 * The settings hold for the transaction alone, so that a pooler may stand in between: a process that was cut off must not keep rows from
 * its successor, and a commit is on disk when it returns.
 */
const BEGIN = `BEGIN ISOLATION LEVEL READ COMMITTED;
SELECT set_config('lock_timeout', '${CATALOG_LOCK_MS}', true),
  set_config('idle_in_transaction_session_timeout', '${CATALOG_IDLE_TRANSACTION_MS}', true);
SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off';
SELECT txid_current()::text AS number`;

/** Transactions and questions on a PostgreSQL server, through a few connections. */
export class PostgresDatabase implements SqlDatabase {
  /** `host:port/database`, for messages. */
  readonly server: string;
  readonly #pool: pg.Pool;
  readonly #sleep: (durationMs: number) => Promise<void>;

  constructor(address: PostgresAddress, sleep: (durationMs: number) => Promise<void>) {
    const { tls, password, ...where } = address;
    this.server = `${where.host}:${where.port}/${where.database}`;
    this.#sleep = sleep;
    this.#pool = new pg.Pool({
      ...where,
      ...(password === undefined ? {} : { password }),
      ssl: tls ?? false,
      max: CATALOG_CONNECTIONS,
      connectionTimeoutMillis: CATALOG_CONNECT_MS,
      query_timeout: CATALOG_ANSWER_MS,
      application_name: "frazil",
      keepAlive: true,
      allowExitOnIdle: true,
    });
    // A connection that breaks while nothing is asked of it is made anew when something is.
    this.#pool.on("error", () => undefined);
    this.#pool.on("connect", (client) => client.on("error", () => undefined));
  }

  /** Repeated while the server cannot be reached. */
  async read<T>(steps: () => SqlSteps<T>): Promise<T> {
    return this.#repeated(() => this.#onClient((client) => run(client, steps())));
  }

  /** One attempt, since what takes effect must not be repeated; but for the connection, which is asked for again. */
  async write<R>(steps: () => SqlSteps<R | null>): Promise<Written<R>> {
    const { client, transaction } = await this.#repeated(() => this.#begin());
    let ended = false;
    let lost: unknown;
    try {
      const reason = await run(client, steps());
      if (reason !== null) {
        await client.query("ROLLBACK");
        ended = true;
        return { outcome: "refused", reason };
      }
      lost = await commitOn(client);
      ended = lost === null;
      if (ended) return { outcome: "committed", lost: null };
    } catch (cause) {
      // Where the server has answered, it takes the next statement, too.
      if (cause instanceof FrazilError || cause instanceof pg.DatabaseError) {
        ended = await client.query("ROLLBACK").then(
          () => true,
          () => false,
        );
      }
      throw postgresError(cause, this.server);
    } finally {
      // A connection whose transaction has not ended would keep its rows: closing it ends the transaction.
      client.release(!ended);
    }
    return this.#ask(transaction, postgresError(lost, this.server));
  }

  async close(): Promise<void> {
    if (!this.#pool.ended) await this.#pool.end();
  }

  /** A transaction with its number, by which the server can be asked for it later. */
  async #begin(): Promise<{ readonly client: pg.PoolClient; readonly transaction: string }> {
    const client = await this.#pool.connect();
    try {
      // Several statements at once have a result each, which the driver's types do not know.
      const results = (await client.query(BEGIN)) as unknown as readonly pg.QueryResult<SqlRow>[];
      return { client, transaction: String(results.at(-1)?.rows[0]?.["number"]) };
    } catch (cause) {
      client.release(true);
      throw cause;
    }
  }

  /** After a COMMIT without an answer: what the server knows of the transaction, once it is no longer under way. */
  async #ask(transaction: string, lost: unknown): Promise<Written<never>> {
    for (let attempt = 0; attempt < CATALOG_ATTEMPTS; attempt++) {
      if (attempt > 0) await this.#sleep(CATALOG_FIRST_PAUSE_MS * 2 ** (attempt - 1));
      try {
        const { rows } = await this.#pool.query("SELECT txid_status($1::bigint) AS status", [transaction]);
        const status = (rows[0] as SqlRow | undefined)?.["status"];
        if (status === "committed") return { outcome: "committed", lost };
        if (status === "aborted") return { outcome: "aborted", cause: lost };
      } catch {
        // It is still away, or another server that does not know the number.
      }
    }
    return { outcome: "unknown", cause: lost };
  }

  async #onClient<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    let broken = true;
    try {
      const result = await work(client);
      broken = false;
      return result;
    } finally {
      client.release(broken);
    }
  }

  async #repeated<T>(attempt: () => Promise<T>): Promise<T> {
    for (let made = 1; ; made++) {
      try {
        return await attempt();
      } catch (cause) {
        const error = postgresError(cause, this.server);
        if (made === CATALOG_ATTEMPTS || !isUnavailable(error)) throw error;
      }
      await this.#sleep(CATALOG_FIRST_PAUSE_MS * 2 ** (made - 1));
    }
  }
}

/** The commit point. Null, or why it cannot be told whether it has taken effect. */
async function commitOn(client: pg.PoolClient): Promise<unknown> {
  try {
    const { command } = await client.query("COMMIT");
    return command === "COMMIT" ? null : new Error(`the server answered COMMIT with ${command}`);
  } catch (cause) {
    return cause;
  }
}

async function run<T>(client: pg.PoolClient, steps: SqlSteps<T>): Promise<T> {
  let step = steps.next();
  while (step.done !== true) {
    const { rows } = await client.query(numbered(step.value));
    step = steps.next(rows as SqlRow[]);
  }
  return step.value;
}

/** PostgreSQL numbers its parameters. */
function numbered({ sql, parameters }: SqlStatement): { readonly text: string; readonly values: string[] } {
  let index = 0;
  return { text: sql.replaceAll("?", () => `$${++index}`), values: [...parameters] };
}
