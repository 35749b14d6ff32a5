/**
 * The layout of Java's JDBC catalog (version V1) and PyIceberg's SQL catalog, which both read and write it beside us, and our own table of
 * claims. Both create the same columns; NULL counts as a table in `iceberg_type`.
 */
export const LAYOUT: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS iceberg_tables (
  catalog_name VARCHAR(255) NOT NULL,
  table_namespace VARCHAR(255) NOT NULL,
  table_name VARCHAR(255) NOT NULL,
  metadata_location VARCHAR(1000),
  previous_metadata_location VARCHAR(1000),
  iceberg_type VARCHAR(5),
  PRIMARY KEY (catalog_name, table_namespace, table_name)
)`,
  `CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (
  catalog_name VARCHAR(255) NOT NULL,
  namespace VARCHAR(255) NOT NULL,
  property_key VARCHAR(255) NOT NULL,
  property_value VARCHAR(1000),
  PRIMARY KEY (catalog_name, namespace, property_key)
)`,
  `CREATE TABLE IF NOT EXISTS frazil_claims (
  catalog_name VARCHAR(255) NOT NULL,
  claim_key VARCHAR(255) NOT NULL,
  claim_value VARCHAR(1000) NOT NULL,
  PRIMARY KEY (catalog_name, claim_key)
)`,
];

/** Java's older layout V0 lacks the column; Java itself adds it in the same way. */
export const ADD_TYPE = "ALTER TABLE iceberg_tables ADD COLUMN iceberg_type VARCHAR(5)";
