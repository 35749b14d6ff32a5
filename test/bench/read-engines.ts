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
  /** @param sql made for the name that the engine gives the table @throws NoAnswer when it takes too long, which may end the engine */
  ask(table: SqliteTable, sql: (name: string) => string): Promise<AnswerRow>;
}

/** An engine did not answer in its time. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

/** DuckDB with its `iceberg` extension, on two threads. @param limitMs for one query */
export async function openDuckdb(limitMs: number, progress: (line: string) => void): Promise<ReadEngine> {
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
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        connection.interrupt();
      }, limitMs);
      try {
        const reader = await connection.runAndReadAll(sql(`iceberg_scan('${metadataFile(table)}')`));
        return one(reader.getRowObjectsJson());
      } catch (error) {
        throw late ? new NoAnswer(`DuckDB: no answer in ${limitMs} ms`, { cause: error }) : error;
      } finally {
        clearTimeout(timer);
      }
    },
    async [Symbol.asyncDispose]() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

/** Spark with Iceberg's own runtime, on two cores. @param limitMs for one query; a longer one ends the engine */
export async function openSparkEngine(limitMs: number): Promise<ReadEngine> {
  const spark = await openSpark({ timeoutMs: limitMs, queries: "long" });
  return {
    name: "spark",
    async ask(table, sql) {
      const startMs = performance.now();
      try {
        return one((await spark.sql(table, sql("{table}"))).rows);
      } catch (error) {
        if (performance.now() - startMs < limitMs) throw error;
        throw new NoAnswer(`Spark: no answer in ${limitMs} ms`, { cause: error });
      }
    },
    [Symbol.asyncDispose]: () => spark[Symbol.asyncDispose](),
  };
}

function one(rows: readonly AnswerRow[]): AnswerRow {
  const [row] = rows;
  if (row === undefined || rows.length > 1) throw new Error(`wrong result: expected one row, found ${rows.length}`);
  return row;
}
