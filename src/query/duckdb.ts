import {
  type DuckDBConnection,
  DuckDBDataChunk,
  type DuckDBExtractedStatements,
  DuckDBInstance,
  type DuckDBResult,
  type DuckDBType,
  type DuckDBValue,
  BIGINT,
  ResultReturnType,
  StatementType,
  UBIGINT,
} from "@duckdb/node-api";
import { FrazilError, type RoaringBitmap } from "../../table-format/index.ts";
import { filePattern, quoteName, quoteText } from "./duckdb-types.ts";

/** Rows of a result, chunk by chunk. */
export interface ResultRows {
  /** Told apart where the query gives one name twice; none for a statement that gives no rows, such as SET. */
  readonly names: readonly string[];
  readonly types: readonly DuckDBType[];
  /** @throws FrazilError `data`, code `QUERY_FAILED`, when the rows so far are not all there are. */
  chunks(): AsyncIterable<DuckDBValue[][]>;
}

/** All rows of a result. @throws FrazilError as `chunks` */
export async function allRows({ chunks }: Pick<ResultRows, "chunks">): Promise<DuckDBValue[][]> {
  const all: DuckDBValue[][] = [];
  for await (const rows of chunks()) all.push(...rows);
  return all;
}

/** A value that is bound to a statement, never part of its text. */
export interface SqlParameter {
  readonly value: DuckDBValue;
  readonly type: DuckDBType;
}

/** A DuckDB of its own for one call. Times with a zone are shown and taken in UTC. */
export interface Duckdb {
  /**
   * Runs statements of ours.
   *
   * @throws FrazilError `corrupt`, code `FILE_UNREADABLE`, for a file that is missing or broken; `io`, code `OUT_OF_MEMORY`, when
   * neither memory nor the temporary folder holds what is to be kept.
   */
  run(sql: string): Promise<void>;
  /** Fills `_frazil.<name>` with `(fi UBIGINT, pos BIGINT)`: deleted or chosen positions by index of the file in a list. */
  createPositions(name: string, bitmaps: readonly RoaringBitmap[]): Promise<void>;
  /** Makes a view that is found by its name alone, but where a table of the user's has the same. */
  createBareView(name: string, select: string): Promise<void>;
  dropBareView(name: string): Promise<void>;
  /** The tables that a query names, qualified as it names them, by DuckDB's own parser. Empty when it cannot say. */
  tableNames(sql: string): readonly string[];
  /** From here on nothing but these files can be opened, and no setting can be changed. */
  lock(paths: readonly string[]): Promise<void>;
  /** From here on nothing but what lies in these folders can be opened, and nothing written; other settings can be changed, this one cannot. */
  confine(folders: readonly string[]): Promise<void>;
  /**
   * Runs one statement of the user's; `$1` is the first of the parameters.
   *
   * @throws FrazilError `config`, code `SQL_ERROR`, for a statement that is wrong; `data`, code `QUERY_FAILED`, for one that fails.
   */
  query(sql: string, parameters?: readonly SqlParameter[]): Promise<ResultRows>;
  close(): void;
}

/** A qualified name: parts that are quoted or hold no space, with dots between them. */
const QUALIFIED = /^(?:"(?:[^"]|"")*"|[^\s".]+)(?:\.(?:"(?:[^"]|"")*"|[^\s".]+))*/;

/** DuckDB prints what a query says of a table, its alias too: `shop.orders AS o(a, b)`. */
function withoutAlias(reference: string): string {
  return QUALIFIED.exec(reference)?.[0] ?? reference;
}

/** The schema that holds our own tables, and the one for views without a namespace, which stands behind the user's own. */
const OWN = "_frazil";
const BARE = "_frazil_bare";

/** DuckDB moves at most this many rows at a time. */
const CHUNK_ROWS = 2048;

/**
 * @param folder For what does not fit in memory.
 */
export async function openDuckdb(folder: string): Promise<Duckdb> {
  const instance = await DuckDBInstance.create(":memory:", {
    temp_directory: folder,
    // One thread: on a busy machine a streamed result of an anti join over many small files once lacked the rows of two whole files
    // that lay side by side in the list, while the table and every repetition had them. A stream that failed unnoticed could have done
    // that (see `chunks`), which nobody can tell any more; and over a million rows with deletes a second thread was no faster.
    threads: "1",
    // Extensions would be fetched over the network.
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
  });
  const connection = await instance.connect();
  await connection.run(`CREATE SCHEMA ${OWN}; CREATE SCHEMA ${BARE}`);
  await connection.run(`SET TimeZone = 'UTC'; SET search_path = 'main,${BARE}'`);
  let isConfined = false;
  return {
    async run(sql) {
      try {
        await connection.run(sql);
      } catch (error) {
        throw fileError(error);
      }
    },
    async createBareView(name, select) {
      await connection.run(`CREATE OR REPLACE VIEW ${BARE}.${quoteName(name)} AS ${select}`);
    },
    async dropBareView(name) {
      await connection.run(`DROP VIEW IF EXISTS ${BARE}.${quoteName(name)}`);
    },
    createPositions: (name, bitmaps) => createPositions(connection, name, bitmaps),
    tableNames(sql) {
      try {
        return connection.getTableNames(sql, true).map(withoutAlias);
      } catch {
        return [];
      }
    },
    async lock(paths) {
      // A pattern is looked for under its own name, and what it finds under the file's.
      const names = new Set(paths.flatMap((path) => [path, filePattern(path)]));
      await connection.run(`SET allowed_paths = [${[...names].map(quoteText).join(", ")}]`);
      await connection.run("SET enable_external_access = false; SET lock_configuration = true");
    },
    async confine(folders) {
      const names = new Set(folders.flatMap((folder) => [folder, filePattern(folder)]));
      await connection.run(`SET allowed_directories = [${[...names].map(quoteText).join(", ")}]`);
      await connection.run("SET enable_external_access = false");
      isConfined = true;
    },
    async query(sql, parameters = []) {
      if (isConfined) await refuse(connection, sql);
      return query(connection, sql, parameters);
    },
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

async function createPositions(
  connection: DuckDBConnection,
  name: string,
  bitmaps: readonly RoaringBitmap[],
): Promise<void> {
  await connection.run(`CREATE TABLE ${OWN}.${name} (fi UBIGINT, pos BIGINT)`);
  const appender = await connection.createAppender(name, OWN);
  for (const [index, bitmap] of bitmaps.entries()) {
    const positions = bitmap.toArray();
    for (let start = 0; start < positions.length; start += CHUNK_ROWS) {
      const part = positions.subarray(start, start + CHUNK_ROWS);
      const chunk = DuckDBDataChunk.create([UBIGINT, BIGINT], part.length);
      chunk.setColumnValues(0, Array<bigint>(part.length).fill(BigInt(index)));
      chunk.setColumnValues(
        1,
        Array.from(part, (position) => BigInt(position)),
      );
      appender.appendDataChunk(chunk);
    }
  }
  appender.closeSync();
}

/** Statements that open files by name, and those that would take back what is made for the next ones. */
const REFUSED: ReadonlySet<StatementType> = new Set([
  StatementType.COPY,
  StatementType.EXPORT,
  StatementType.ATTACH,
  StatementType.COPY_DATABASE,
  StatementType.TRANSACTION,
]);

/** The driver says nothing of use of a text without a statement. */
async function statementsOf(connection: DuckDBConnection, sql: string): Promise<DuckDBExtractedStatements> {
  try {
    return await connection.extractStatements(sql);
  } catch (error) {
    if ((error as Error).message !== "Error in native callback") throw error;
    throw new FrazilError("config", "SQL_ERROR", "expected a statement, found none", { cause: error });
  }
}

async function refuse(connection: DuckDBConnection, sql: string): Promise<void> {
  let type: StatementType;
  try {
    const statements = await statementsOf(connection, sql);
    type = (await statements.prepare(0)).statementType;
  } catch (error) {
    throw queryError(error);
  }
  if (!REFUSED.has(type) && !/^\s*explain\s+analyze\s+(copy|export)\b/i.test(sql)) return;
  throw new FrazilError(
    "config",
    "SQL_ERROR",
    "expected a statement over tables, found one over files or transactions",
    {
      hint: 'print the rows instead: frazil query "…" --json > file',
    },
  );
}

async function query(
  connection: DuckDBConnection,
  sql: string,
  parameters: readonly SqlParameter[],
): Promise<ResultRows> {
  try {
    const statements = await statementsOf(connection, sql);
    // PIVOT is one statement for its writer and two for DuckDB.
    if (statements.count > 1 && !/\bpivot/i.test(sql)) {
      throw new FrazilError("config", "SQL_ERROR", `expected one statement, found ${statements.count}`);
    }
    const result =
      parameters.length === 0
        ? await connection.stream(sql)
        : await connection.stream(
            sql,
            parameters.map(({ value }) => value),
            parameters.map(({ type }) => type),
          );
    const again = async (): Promise<void> => {
      await connection.run(
        `EXPLAIN ANALYZE ${sql}`,
        parameters.map(({ value }) => value),
        parameters.map(({ type }) => type),
      );
    };
    const hasRows = result.returnType === ResultReturnType.QUERY_RESULT;
    return {
      names: hasRows ? result.deduplicatedColumnNames() : [],
      types: hasRows ? result.columnTypes() : [],
      chunks: () => chunks(result, again),
    };
  } catch (error) {
    throw queryError(error);
  }
}

/** @param again Runs the statement once more, without giving its rows. */
async function* chunks(result: DuckDBResult, again: () => Promise<void>): AsyncGenerator<DuckDBValue[][]> {
  let count = 0;
  try {
    for await (const rows of result.yieldRows()) {
      count += rows.length;
      yield rows;
    }
  } catch (error) {
    throw queryError(error);
  }
  // A stream that fails ends like one that is at its end: no chunk, and nothing is thrown. What was buffered is lost with what was
  // not read yet. Only the result's type tells of it, and no binding of the message is there.
  if (result.returnType === ResultReturnType.INVALID) throw await brokenStream(again, count);
}

/** Why a stream broke off: what the statement says when it is run once more, without its rows. */
async function brokenStream(again: () => Promise<void>, count: number): Promise<FrazilError> {
  try {
    await again();
  } catch (error) {
    const { message } = queryError(error);
    // Some statements cannot be explained (PIVOT), which is no reason.
    if (!/^(Parser|Syntax) Error/i.test(message)) return new FrazilError("data", "QUERY_FAILED", message);
  }
  return new FrazilError("data", "QUERY_FAILED", `DuckDB broke off behind row ${count} without a reason`, {
    hint: "the rows so far are not all; run the query again",
  });
}

/** A statement of ours fails because of a file, or because it is wrong: then it is passed on as the bug it is. */
function fileError(error: unknown): unknown {
  const message = error instanceof Error ? error.message : String(error);
  if (message.startsWith("Out of Memory Error")) {
    return new FrazilError("io", "OUT_OF_MEMORY", message, {
      cause: error,
      hint: "make room for temporary files (TMPDIR), or read a shorter range",
    });
  }
  if (!/^(IO|Invalid Input|HTTP) Error|TProtocolException/.test(message)) return error;
  return new FrazilError("corrupt", "FILE_UNREADABLE", message, { cause: error });
}

/** DuckDB says of what kind an error is in front of it. */
function queryError(error: unknown): FrazilError {
  if (error instanceof FrazilError) return error;
  const message = (error instanceof Error ? error.message : String(error)).replace(/^Failed to [\w ]+: /, "");
  const wrong = /^(Parser|Binder|Catalog|Syntax|Not implemented) Error/i.test(message);
  return new FrazilError(wrong ? "config" : "data", wrong ? "SQL_ERROR" : "QUERY_FAILED", message, { cause: error });
}
