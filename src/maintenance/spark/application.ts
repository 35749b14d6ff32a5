/** One statement that Spark is to run. */
export interface SparkCall {
  readonly sql: string;
  /** The table in Spark's words, `catalog.namespace.table`. */
  readonly table: string;
  /** Files that the statement reads as the view `ORPHANS_VIEW`. */
  readonly files?: readonly string[];
  /** A repetition would do again what an attempt has committed: it is tried again only while nothing is. */
  readonly redoes?: boolean;
}

/** What became of a call: the rows that the procedure reports, or what Spark said instead, of many lines. */
export type SparkResult = SparkRows | { readonly startedMs: number; readonly ms: number; readonly error: string };

export interface SparkRows {
  /** By the driver's clock, since 1970 UTC. */
  readonly startedMs: number;
  readonly ms: number;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly error?: undefined;
}

/** What a Spark application did, call by call. */
export interface SparkRun {
  /** Stands as `app-id` in the summary of each snapshot that the application has committed. */
  readonly applicationId: string;
  /** One a call. */
  readonly results: readonly SparkResult[];
}

/** The name under which a call finds its files. */
export const ORPHANS_VIEW = "frazil_orphans";

/** Where a catalog of the JDBC layout lies. */
export interface SqliteFile {
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  readonly warehouseLocation: string;
}

/** How long Spark waits for a transaction of ours, as ours wait for those of others. */
const BUSY_TIMEOUT_MS = 10_000;

/** Spark's settings under which its catalog of the same name is the one in the file. */
export function sparkConfiguration({ name, path, warehouseLocation }: SqliteFile): Record<string, string> {
  const catalog = `spark.sql.catalog.${name}`;
  return {
    "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
    // Times in conditions are told in UTC.
    "spark.sql.session.timeZone": "UTC",
    [catalog]: "org.apache.iceberg.spark.SparkCatalog",
    [`${catalog}.type`]: "jdbc",
    [`${catalog}.uri`]: `jdbc:sqlite:${path}`,
    [`${catalog}.jdbc.schema-version`]: "V1",
    [`${catalog}.jdbc.busy_timeout`]: String(BUSY_TIMEOUT_MS),
    [`${catalog}.warehouse`]: warehouseLocation,
    // Each call must see the table as it is then: jobs commit all the time.
    [`${catalog}.cache-enabled`]: "false",
  };
}
