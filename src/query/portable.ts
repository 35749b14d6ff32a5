import { identText, planSnapshot } from "../../table-format/index.ts";
import { type TableAt, tableAt } from "./as-of.ts";
import { openDuckdb } from "./duckdb.ts";
import { quoteName, quoteText } from "./duckdb-types.ts";
import { openLocalFiles } from "./local-files.ts";
import type { QueryWarehouse } from "./query-warehouse.ts";
import { findTables } from "./table-names.ts";
import { checkReadable, selectRows, tableNames } from "./table-sql.ts";

/** Longer lists of files are not for pasting. */
const FILES_AT_MOST = 100;

/** How another DuckDB reaches the store of an `s3://` warehouse. Credentials are not part of it. */
export interface StoreAccess {
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  readonly pathStyle?: boolean | undefined;
}

/**
 * The statement as SQL to paste into any DuckDB: views of the tables that it reads, as they are at this moment, then the statement
 * itself. A local table without deletes becomes its files (`read_parquet`, which needs no extension); any other one
 * `iceberg_scan` of its metadata file.
 *
 * @param asOf As for `openQuery`.
 * @throws FrazilError as `openQuery`.
 */
export async function portableStatement(
  warehouse: QueryWarehouse,
  sql: string,
  asOf: string | null,
  access: StoreAccess,
): Promise<string> {
  const files = await openLocalFiles(warehouse);
  try {
    const duckdb = await openDuckdb(files.folder);
    try {
      const lines: string[] = [];
      let usesIceberg = false;
      for (const { table, unqualified } of await findTables(warehouse, duckdb, sql)) {
        const at = tableAt(table, asOf);
        const select = (await filesSelect(warehouse, at)) ?? icebergSelect(at);
        usesIceberg ||= select.includes("iceberg_scan(");
        const schema = quoteName(table.ident.namespace.join("."));
        const name = quoteName(table.ident.name);
        const point = at.snapshot === null ? "no snapshot yet" : `snapshot ${at.snapshot.snapshotId}`;
        lines.push(`-- ${identText(table.ident)}: ${point}`, `CREATE SCHEMA IF NOT EXISTS ${schema};`);
        for (const view of unqualified ? [`${schema}.${name}`, name] : [`${schema}.${name}`]) {
          lines.push(`CREATE OR REPLACE VIEW ${view} AS ${select};`);
        }
      }
      const head = [...(usesIceberg ? ["INSTALL iceberg;", "LOAD iceberg;"] : []), ...storeLines(warehouse, access)];
      return `${[...head, ...lines, `${sql.trim().replace(/;$/, "")};`].join("\n")}\n`;
    } finally {
      duckdb.close();
    }
  } finally {
    await files.close();
  }
}

/** Null where a list of files would not do: deletes, a remote store, too many of them. */
async function filesSelect({ io, localPath }: QueryWarehouse, at: TableAt): Promise<string | null> {
  const names = tableNames(at);
  if (at.snapshot === null) return selectRows(at, [], names);
  const { metadata } = at.table;
  const plan = await planSnapshot(io, metadata, at.snapshot);
  checkReadable(
    at,
    plan.dataFiles.map(({ file }) => file),
    plan.hasEqualityDeletes,
  );
  if (localPath === null || plan.deletes.size > 0 || plan.dataFiles.length > FILES_AT_MOST) return null;
  if (metadata.properties.has("schema.name-mapping.default")) return null;
  return selectRows(
    at,
    plan.dataFiles.map(({ file }) => localPath(file.filePath)),
    names,
  ).trim();
}

function icebergSelect({ table, snapshot }: TableAt): string {
  const point = snapshot === null ? "" : `, snapshot_from_id = ${snapshot.snapshotId}`;
  return `SELECT * FROM iceberg_scan(${quoteText(table.metadataLocation)}${point})`;
}

/** What an s3:// location needs before; the credentials are found as the AWS tools find them. */
function storeLines({ location }: QueryWarehouse, { endpoint, region, pathStyle }: StoreAccess): string[] {
  if (!location.startsWith("s3://")) return [];
  const url = endpoint === undefined ? null : new URL(endpoint);
  const parts = [
    "TYPE s3",
    "PROVIDER credential_chain",
    ...(region === undefined ? [] : [`REGION ${quoteText(region)}`]),
    ...(url === null ? [] : [`ENDPOINT ${quoteText(url.host)}`, `USE_SSL ${url.protocol === "https:"}`]),
    ...((pathStyle ?? url !== null) ? ["URL_STYLE 'path'"] : []),
  ];
  return ["INSTALL httpfs; LOAD httpfs; INSTALL aws; LOAD aws;", `CREATE OR REPLACE SECRET (${parts.join(", ")});`];
}
