import type { DatabaseSync } from "node:sqlite";
import { ADD_TYPE, LAYOUT } from "./sql-layout.ts";

/** How long one connection waits for another's transaction; ours last milliseconds. */
const BUSY_TIMEOUT_MS = 10_000;

/**
 * Brings a file to the layout that other engines share. Readers and one writer at a time do not wait for each other (WAL), and a commit is
 * on disk when it returns (synchronous = full).
 */
export function prepareDatabase(database: DatabaseSync): void {
  database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
  database.exec("PRAGMA journal_mode = WAL");
  database.exec("PRAGMA synchronous = FULL");
  for (const statement of LAYOUT) database.exec(statement);
  const columns = database.prepare("PRAGMA table_info(iceberg_tables)").all();
  if (!columns.some((column) => column["name"] === "iceberg_type")) database.exec(ADD_TYPE);
}
