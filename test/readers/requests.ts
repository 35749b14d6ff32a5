import { type CanonicalRow, rowsOf } from "./canonical.ts";
import type { Answer } from "./conversation.ts";

/** A table by its place, with no catalog: its folder (read through `metadata/version-hint.text`) or a metadata file. */
export type LocatedTable = { readonly location: string };

/** A table in an SQLite catalog. */
export type SqliteTable = {
  /** The catalog's file, an absolute path. */
  readonly sqlite: string;
  /** `namespace.table` */
  readonly table: string;
  /** The `catalog_name` in the file; `frazil` by default. */
  readonly catalog?: string;
};

/** A table in a PostgreSQL catalog. */
export type PostgresTable = {
  /** `postgresql+psycopg2://user:password@host:port/database` */
  readonly postgres: string;
  /** `namespace.table` */
  readonly table: string;
  /** The `catalog_name` of the rows; `frazil` by default. */
  readonly catalog?: string;
};

/** A table by its folder, which Java reads by `vN.metadata.json`. */
export type FolderTable = { readonly folder: string };

/** A table in a REST catalog. */
export type RestTable = {
  /** The server's address. */
  readonly rest: string;
  /** `namespace.table` */
  readonly table: string;
  /** What PyIceberg's catalog is told beside it. */
  readonly properties?: Readonly<Record<string, string>>;
};

/** How to reach a store; `RunningS3` of `services/` has these fields. */
export type S3Location = {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
};

export type ReadOptions = {
  readonly snapshotId?: bigint;
  readonly s3?: S3Location;
  readonly columns?: readonly string[];
  /** False gives only count and digest: for tables whose rows are too many to carry over. */
  readonly rows?: boolean;
  /** Which rows DuckDB is to give, in its SQL. */
  readonly where?: string;
};

export type TableContents = {
  /** Types in Iceberg's words. */
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly count: number;
  /** `digestOf` the canonical lines: equal digests are equal rows. */
  readonly digest: string;
  /** The rows in canonical order; empty when `rows: false` was asked. */
  readonly rows: readonly CanonicalRow[];
  /** The same as canonical JSON lines. */
  readonly lines: readonly string[];
};

/** How a request says what to read. */
export function requestOf({ snapshotId, s3, columns, rows = true, where }: ReadOptions): object {
  return {
    rows,
    ...(snapshotId === undefined ? {} : { snapshotId: String(snapshotId) }),
    ...(s3 === undefined ? {} : { s3 }),
    ...(columns === undefined ? {} : { columns }),
    ...(where === undefined ? {} : { where }),
  };
}

/** The answer to a request for rows. */
export function contentsOf({ lines = [], ...answer }: Answer): TableContents {
  const summary = answer as unknown as Omit<TableContents, "lines" | "rows">;
  const names = summary.columns.map((column) => column.name);
  return { ...summary, lines, rows: rowsOf(names, lines) };
}
