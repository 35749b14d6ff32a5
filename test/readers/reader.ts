import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { spawnOwned } from "../services/owned-process.ts";
import { progressOnStderr } from "../services/progress.ts";
import { converse } from "./conversation.ts";
import { installReaders } from "./install.ts";
import {
  contentsOf,
  type LocatedTable,
  type PostgresTable,
  type ReadOptions,
  requestOf,
  type RestTable,
  type SqliteTable,
  type TableContents,
} from "./requests.ts";

/** What PyIceberg says of a table's metadata; 64-bit ids are text. */
export type TableDescription = {
  readonly formatVersion: number;
  readonly location: string;
  readonly currentSnapshotId: string | null;
  readonly properties: Readonly<Record<string, string>>;
  readonly identifierFieldIds: readonly number[];
  readonly columns: readonly {
    readonly id: number;
    readonly name: string;
    readonly type: string;
    readonly required: boolean;
  }[];
  /** The table's default sort order; fields such as `identity(id) ASC NULLS FIRST`. */
  readonly sortOrder: { readonly id: number; readonly fields: readonly string[] };
  /** Data files of the newest snapshot. */
  readonly files: readonly { readonly path: string; readonly sortOrderId: number | null }[];
  /** Snapshot id by branch or tag. */
  readonly refs: Readonly<Record<string, string>>;
  readonly snapshots: readonly {
    readonly snapshotId: string;
    readonly parentSnapshotId: string | null;
    readonly sequenceNumber: string | null;
    readonly operation: string | null;
    readonly summary: Readonly<Record<string, string>>;
  }[];
};

/** Two readers of Iceberg tables that share no code with this project, in one Python process. */
export interface Readers extends AsyncDisposable {
  pyiceberg(
    table: LocatedTable | SqliteTable | PostgresTable | RestTable,
    options?: ReadOptions,
  ): Promise<TableContents>;
  /** DuckDB has no SQLite catalog: for such a table it is given the metadata file that the catalog names. */
  duckdb(table: LocatedTable | SqliteTable, options?: ReadOptions): Promise<TableContents>;
  /** Parquet files as PyArrow reads them, as of no table. */
  pyarrow(files: readonly string[]): Promise<TableContents>;
  describe(table: LocatedTable | SqliteTable, options?: Pick<ReadOptions, "s3">): Promise<TableDescription>;
  /** Paths of the data files that PyIceberg plans for a filter in the form of `filters.py`, and the rows that it gives as canonical lines. */
  plan(
    table: LocatedTable | SqliteTable,
    filter: object,
  ): Promise<{ files: readonly string[]; lines: readonly string[] }>;
  /** Lets PyIceberg delete the rows with the keys of `gone` and append others: an append, a delete or an overwrite. */
  replace(table: SqliteTable, gone: readonly object[], added: readonly object[]): Promise<void>;
}

/** Starts the readers (installing them on first use); a request that takes longer than `timeoutMs` ends them all. */
export async function openReaders(options: { readonly timeoutMs?: number } = {}): Promise<Readers> {
  const interpreter = await installReaders(progressOnStderr);
  const script = fileURLToPath(new URL("read_table.py", import.meta.url));
  const child = spawnOwned(interpreter, ["-u", script], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, TZ: "UTC", PYTHONDONTWRITEBYTECODE: "1", PYICEBERG_HOME: "/nonexistent" },
  });
  const python = converse(child, options.timeoutMs ?? 120_000);
  const contents = async (reader: string, table: object, read: ReadOptions): Promise<TableContents> =>
    contentsOf(await python.ask({ reader, table, ...requestOf(read) }));

  return {
    pyiceberg: (table, read = {}) => contents("pyiceberg", pythonTable(table), read),
    duckdb: (table, read = {}) =>
      contents("duckdb", { location: "location" in table ? table.location : metadataFile(table) }, read),
    pyarrow: (files) => contents("pyarrow", { files }, {}),
    async describe(table, { s3 } = {}) {
      const request = { reader: "describe", table: pythonTable(table), ...(s3 === undefined ? {} : { s3 }) };
      return (await python.ask(request)) as unknown as TableDescription;
    },
    async plan(table, filter) {
      const answer = await python.ask({ reader: "plan", table: pythonTable(table), filter });
      return answer as unknown as { readonly files: string[]; readonly lines: string[] };
    },
    async replace(table, gone, added) {
      await python.ask({ reader: "replace", table: pythonTable(table), gone, added });
    },
    [Symbol.asyncDispose]: () => python.end(),
  };
}

function pythonTable(table: LocatedTable | SqliteTable | PostgresTable | RestTable): object {
  if ("location" in table || "rest" in table) return table;
  if ("postgres" in table) return { uri: table.postgres, catalog: table.catalog ?? "frazil", table: table.table };
  return { uri: `sqlite:///${table.sqlite}`, catalog: table.catalog ?? "frazil", table: table.table };
}

/** The metadata file that an SQLite catalog names for a table. */
export function metadataFile(table: SqliteTable): string {
  using database = new DatabaseSync(table.sqlite, { readOnly: true });
  const dot = table.table.lastIndexOf(".");
  const found = database
    .prepare(
      "SELECT metadata_location FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?",
    )
    .get(table.catalog ?? "frazil", table.table.slice(0, dot), table.table.slice(dot + 1));
  if (found === undefined) throw new Error(`expected table ${table.table} in ${table.sqlite}, found none`);
  return String(found["metadata_location"]);
}
