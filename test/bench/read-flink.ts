import { createWriteStream, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { SqliteTable } from "../readers/requests.ts";
import { runFlinkSql } from "../services/flink.ts";
import type { Figure } from "./bench.ts";
import { NoAnswer, type ReadEngine } from "./read-engines.ts";
import { type Effort, ratios } from "./read-ratios.ts";
import { type RowVersion, valuesOf } from "./read-rows.ts";
import { makeReadTable } from "./read-table.ts";
import { between, changesOf, inOrder, sumsInTheEnd, type Workload } from "./read-workload.ts";

const EFFORT: Effort = { rounds: 1, lookups: { duckdb: 1, spark: 2 } };
/** Flink's sink writes with two tasks. */
const FILES = 2;
const ROWS_A_CHUNK = 2_000;
const FLINK_TIMEOUT_MS = 900_000;

const COLUMNS = `id BIGINT NOT NULL, region STRING, customer STRING, amount DECIMAL(18, 2), quantity INT, price DOUBLE,
  note STRING, created_ms BIGINT, version BIGINT, PRIMARY KEY (id) NOT ENFORCED`;

/**
 * Scans and lookups of a table that Flink has written, as upserts do there: with equality deletes, one commit for all rows and one for each
 * commit of changes, of the same events. Against the same rows written once in as many files. An engine that gives no answer in its time
 * has no figure.
 */
export async function* flinkRatios(
  folder: string,
  workload: Workload,
  engines: readonly ReadEngine[],
  progress: (line: string) => void,
): AsyncIterable<Figure> {
  const place = await writeWithFlink(folder, workload, progress);
  const clean = await makeReadTable(join(folder, "clean"));
  await clean.fill(inOrder(workload), Math.ceil(workload.rows / FILES));
  const sums = sumsInTheEnd(workload);
  for (const engine of engines) {
    progress(`${engine.name}: Flink's to clean`);
    try {
      yield* ratios(engine, "flink", { place, sums }, { place: clean.place, sums }, workload, EFFORT);
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      yield { case: error.message, figure: "scan_ratio_flink", value: null, unit: "" };
    }
  }
}

/** Lets Flink read the events from files in Debezium's form, and write them to a table in an SQLite catalog, as our own tables are. */
async function writeWithFlink(
  folder: string,
  workload: Workload,
  progress: (line: string) => void,
): Promise<SqliteTable> {
  const { rows, commits } = workload;
  const warehouse = join(folder, "warehouse");
  const sqlite = join(warehouse, "catalog.sqlite");
  const events = join(folder, "events");
  for (const made of [warehouse, events]) mkdirSync(made, { recursive: true });
  progress(`writing ${rows} inserts and ${commits} times ${workload.changes} updates for Flink`);
  await writeEvents(join(events, "rows.json"), between(0, rows));
  for (let commit = 0; commit < commits; commit++) {
    await writeEvents(join(events, `${commit}.json`), changesOf(workload, commit));
  }
  const insert = (file: string): string =>
    `INSERT INTO frazil.shop.a SELECT * FROM events /*+ OPTIONS('path' = 'file://${join(events, file)}') */`;
  const statements = [
    `CREATE CATALOG frazil WITH ('type' = 'iceberg', 'catalog-impl' = 'org.apache.iceberg.jdbc.JdbcCatalog',
  'uri' = 'jdbc:sqlite:${sqlite}', 'warehouse' = '${warehouse}', 'jdbc.schema-version' = 'V1')`,
    "CREATE DATABASE frazil.shop",
    `CREATE TABLE frazil.shop.a (${COLUMNS}) WITH ('format-version' = '2', 'write.upsert.enabled' = 'true')`,
    `CREATE TEMPORARY TABLE events (${COLUMNS}) WITH ('connector' = 'filesystem', 'path' = 'file://${events}', 'format' = 'debezium-json')`,
    insert("rows.json"),
    ...Array.from({ length: commits }, (_, commit) => insert(`${commit}.json`)),
  ];
  progress(`Flink writes ${commits + 1} commits`);
  await runFlinkSql(statements, { folder: join(folder, "run"), timeoutMs: FLINK_TIMEOUT_MS, progress });
  rmSync(events, { recursive: true });
  return { sqlite, table: "shop.a" };
}

async function writeEvents(path: string, rows: Iterable<RowVersion>): Promise<void> {
  await pipeline(Readable.from(eventLines(rows)), createWriteStream(path));
}

function* eventLines(rows: Iterable<RowVersion>): Iterable<string> {
  let chunk: string[] = [];
  for (const row of rows) {
    const before = row.version === 0 ? "null" : rowJson({ id: row.id, version: 0 });
    chunk.push(`{"before":${before},"after":${rowJson(row)},"op":"${row.version === 0 ? "c" : "u"}"}\n`);
    if (chunk.length < ROWS_A_CHUNK) continue;
    yield chunk.join("");
    chunk = [];
  }
  yield chunk.join("");
}

function rowJson(row: RowVersion): string {
  const { region, customer, cents, quantity, quarters, note, millis } = valuesOf(row);
  const amount = `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, "0")}`;
  return (
    `{"id":${row.id},"region":"${region}","customer":"${customer}","amount":"${amount}","quantity":${quantity},` +
    `"price":${quarters / 4},"note":"${note}","created_ms":${millis},"version":${row.version}}`
  );
}
