import { globSync } from "node:fs";
import { dirname, join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { installReaders } from "../readers/install.ts";
import { metadataFile } from "../readers/reader.ts";
import type { SqliteTable } from "../readers/requests.ts";
import { openSpark } from "../readers/spark.ts";

/** One row, by column. */
export type AnswerRow = Readonly<Record<string, unknown>>;

/** An engine that knows the table's format by itself. */
export interface ReadEngine extends AsyncDisposable {
  readonly name: "duckdb" | "spark";
  /** @param sql made for the name that the engine gives the table */
  ask(table: SqliteTable, sql: (name: string) => string): Promise<AnswerRow>;
}

/** DuckDB with its `iceberg` extension, on two threads. */
export async function openDuckdb(progress: (line: string) => void): Promise<ReadEngine> {
  const python = await installReaders(progress);
  const instance = await DuckDBInstance.create(":memory:", { allow_unsigned_extensions: "false", threads: "2" });
  const connection = await instance.connect();
  for (const setting of ["autoinstall_known_extensions", "autoload_known_extensions", "enable_external_file_cache"]) {
    await connection.run(`SET ${setting} = false`);
  }
  for (const name of ["avro", "iceberg"]) {
    const pattern = `lib/python*/site-packages/duckdb_extension_${name}/extensions/*/${name}.duckdb_extension`;
    const [file] = globSync(join(dirname(dirname(python)), pattern));
    await connection.run(`LOAD '${file}'`);
  }
  return {
    name: "duckdb",
    async ask(table, sql) {
      const reader = await connection.runAndReadAll(sql(`iceberg_scan('${metadataFile(table)}')`));
      return one(reader.getRowObjectsJson());
    },
    async [Symbol.asyncDispose]() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

/** Spark with Iceberg's own runtime, on two cores. @param timeoutMs for one query, which ends the engine */
export async function openSparkEngine(timeoutMs: number): Promise<ReadEngine> {
  const spark = await openSpark({ timeoutMs });
  return {
    name: "spark",
    ask: async (table, sql) => one((await spark.sql(table, sql("{table}"))).rows),
    [Symbol.asyncDispose]: () => spark[Symbol.asyncDispose](),
  };
}

function one(rows: readonly AnswerRow[]): AnswerRow {
  const [row] = rows;
  if (row === undefined || rows.length > 1) throw new Error(`wrong result: expected one row, found ${rows.length}`);
  return row;
}
