import { fileURLToPath } from "node:url";
import { spawnOwned } from "../services/owned-process.ts";
import { progressOnStderr } from "../services/progress.ts";
import { converse } from "./conversation.ts";
import {
  contentsOf,
  type FolderTable,
  type LocatedTable,
  type PostgresTable,
  type ReadOptions,
  requestOf,
  type SqliteTable,
  type TableContents,
} from "./requests.ts";
import { installSpark } from "./spark-install.ts";

/** Spark with Iceberg's own runtime: a third reader, which also knows row lineage and metadata tables. Its start takes seconds. */
export interface SparkReader extends AsyncDisposable {
  /** A table by its place must be a metadata file. Of a type `uuid` it gives text. */
  read(table: SparkTable, options?: ReadOptions): Promise<TableContents>;
  /** Rows of many small tables in local metadata files, all or those of an SQL condition: of each its contents, or what Spark says instead. */
  readMany(tables: readonly (LocatedTable & { readonly where?: string })[]): Promise<(TableContents | Error)[]>;
  /** Any query; `{table}` stands for the table's name and `{catalog}` for its catalog's. */
  sql(
    table: Exclude<SparkTable, FolderTable>,
    sql: string,
    options?: Pick<ReadOptions, "s3" | "rows">,
  ): Promise<TableContents>;
}

type SparkTable = LocatedTable | FolderTable | SqliteTable | PostgresTable;

/**
 * Starts Spark (installing it on first use); a request that takes longer than `timeoutMs` ends it. For many short queries it compiles
 * little, which makes a scan of millions of rows ten times slower: `queries: "long"` leaves it as it is.
 */
export async function openSpark(
  options: { readonly timeoutMs?: number; readonly queries?: "short" | "long" } = {},
): Promise<SparkReader> {
  const { python, jars } = await installSpark(progressOnStderr);
  const script = fileURLToPath(new URL("read_spark.py", import.meta.url));
  const child = spawnOwned(python, ["-u", script, options.queries ?? "short", ...jars], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" },
  });
  const spark = converse(child, options.timeoutMs ?? 120_000);
  return {
    read: async (table, read = {}) => contentsOf(await spark.ask({ table: sparkTable(table), ...requestOf(read) })),
    async readMany(tables) {
      const { many = [] } = await spark.ask({ many: tables });
      return many.map((each) => (each.error === undefined ? contentsOf(each) : new Error(each.error)));
    },
    sql: async (table, sql, read = {}) =>
      contentsOf(await spark.ask({ table: sparkTable(table), sql, ...requestOf(read) })),
    [Symbol.asyncDispose]: () => spark.end(),
  };
}

function sparkTable(table: SparkTable): object {
  if ("location" in table || "folder" in table) return table;
  const { catalog = "frazil", table: name } = table;
  if ("sqlite" in table) return { catalog, table: name, jdbc: { uri: `jdbc:sqlite:${table.sqlite}` } };
  const { host, pathname, username: user, password } = new URL(table.postgres);
  return { catalog, table: name, jdbc: { uri: `jdbc:postgresql://${host}${pathname}`, user, password } };
}
