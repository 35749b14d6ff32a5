import { fileURLToPath } from "node:url";
import { spawnOwned } from "../services/owned-process.ts";
import { progressOnStderr } from "../services/progress.ts";
import { converse } from "./conversation.ts";
import {
  contentsOf,
  type LocatedTable,
  type ReadOptions,
  requestOf,
  type SqliteTable,
  type TableContents,
} from "./requests.ts";
import { installSpark } from "./spark-install.ts";

/** Spark with Iceberg's own runtime: a third reader, which also knows row lineage and metadata tables. Its start takes seconds. */
export interface SparkReader extends AsyncDisposable {
  /** A table by its place must be a metadata file. Of a type `uuid` it gives text. */
  read(table: LocatedTable | SqliteTable, options?: ReadOptions): Promise<TableContents>;
  /** All rows of many small tables in local metadata files: of each its contents, or what Spark says instead. */
  readMany(tables: readonly LocatedTable[]): Promise<(TableContents | Error)[]>;
  /** Any query; `{table}` stands for the table's name and `{catalog}` for its catalog's. */
  sql(
    table: LocatedTable | SqliteTable,
    sql: string,
    options?: Pick<ReadOptions, "s3" | "rows">,
  ): Promise<TableContents>;
}

/** Starts Spark (installing it on first use); a request that takes longer than `timeoutMs` ends it. */
export async function openSpark(options: { readonly timeoutMs?: number } = {}): Promise<SparkReader> {
  const { python, jars } = await installSpark(progressOnStderr);
  const script = fileURLToPath(new URL("read_spark.py", import.meta.url));
  const child = spawnOwned(python, ["-u", script, ...jars], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" },
  });
  const spark = converse(child, options.timeoutMs ?? 120_000);
  return {
    read: async (table, read = {}) => contentsOf(await spark.ask({ table: sparkTable(table), ...requestOf(read) })),
    async readMany(tables) {
      const { many = [] } = await spark.ask({ many: tables.map(({ location }) => location) });
      return many.map((each) => (each.error === undefined ? contentsOf(each) : new Error(each.error)));
    },
    sql: async (table, sql, read = {}) =>
      contentsOf(await spark.ask({ table: sparkTable(table), sql, ...requestOf(read) })),
    [Symbol.asyncDispose]: () => spark.end(),
  };
}

function sparkTable(table: LocatedTable | SqliteTable): object {
  return "location" in table ? table : { ...table, catalog: table.catalog ?? "frazil" };
}
