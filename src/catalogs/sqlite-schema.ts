import type { DatabaseSync } from "node:sqlite";

/** How long one connection waits for another's transaction; ours last milliseconds. */
const BUSY_TIMEOUT_MS = 10_000;

const TABLES = `
CREATE TABLE IF NOT EXISTS iceberg_tables (
  catalog_name VARCHAR(255) NOT NULL,
  table_namespace VARCHAR(255) NOT NULL,
  table_name VARCHAR(255) NOT NULL,
  metadata_location VARCHAR(1000),
  previous_metadata_location VARCHAR(1000),
  iceberg_type VARCHAR(5),
  PRIMARY KEY (catalog_name, table_namespace, table_name)
);
CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (
  catalog_name VARCHAR(255) NOT NULL,
  namespace VARCHAR(255) NOT NULL,
  property_key VARCHAR(255) NOT NULL,
  property_value VARCHAR(1000),
  PRIMARY KEY (catalog_name, namespace, property_key)
);
CREATE TABLE IF NOT EXISTS frazil_claims (
  catalog_name VARCHAR(255) NOT NULL,
  claim_key VARCHAR(255) NOT NULL,
  claim_value VARCHAR(1000) NOT NULL,
  PRIMARY KEY (catalog_name, claim_key)
);`;

/**
 * Brings a file to the layout of Java's JDBC catalog (version V1) and PyIceberg, which both read and write it beside us. Readers and
 * one writer at a time do not wait for each other (WAL), and a commit is on disk when it returns (synchronous = full).
 */
export function prepareDatabase(database: DatabaseSync): void {
  database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
  database.exec("PRAGMA journal_mode = WAL");
  database.exec("PRAGMA synchronous = FULL");
  database.exec(TABLES);
  const columns = database.prepare("PRAGMA table_info(iceberg_tables)").all();
  // Java's older layout V0 lacks the column; Java itself adds it in the same way.
  if (!columns.some((column) => column["name"] === "iceberg_type")) {
    database.exec("ALTER TABLE iceberg_tables ADD COLUMN iceberg_type VARCHAR(5)");
  }
}
