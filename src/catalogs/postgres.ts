import type { ManagedCatalog } from "../../table-format/index.ts";
import { FrazilError } from "../core/errors.ts";
import { PostgresDatabase, type PostgresAddress } from "./postgres-database.ts";
import { SqlCatalog, type SqlCatalogOptions } from "./sql-catalog.ts";
import { ADD_TYPE, LAYOUT } from "./sql-layout.ts";
import { query, type SqlSteps } from "./sql-steps.ts";

export interface PostgresCatalogOptions extends SqlCatalogOptions {
  readonly address: PostgresAddress;
  readonly sleep: (durationMs: number) => Promise<void>;
}

/** Of the lock under which the layout is made: two that start at once would both make it. Any number that is always the same. */
const LAYOUT_LOCK = "7381604";

/**
 * Opens the catalog in a PostgreSQL database (10 or newer), in the first schema of the user's search path.
 *
 * @param mode `create` makes the catalog's tables where they are missing; `read` only adds ours to a catalog that another engine made.
 * @throws FrazilError `not-found`, code `WAREHOUSE_NOT_FOUND`, when `read` finds no catalog; `unavailable`, `permission`, `config`.
 */
export async function openPostgresCatalog(
  options: PostgresCatalogOptions,
  mode: "create" | "read",
): Promise<ManagedCatalog> {
  const database = new PostgresDatabase(options.address, options.sleep);
  try {
    const found = await database.read(layoutFound);
    if (found === "nothing" && mode === "read") {
      throw new FrazilError("not-found", "WAREHOUSE_NOT_FOUND", `there is no catalog in ${database.server}`, {
        hint: "start a job that writes to this one",
      });
    }
    if (found !== "all") await database.write(makeLayout);
    return new SqlCatalog(database, options);
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** What of the layout is there; `tables` alone is what Java and PyIceberg make. */
function* layoutFound(): SqlSteps<"nothing" | "tables" | "all"> {
  const rows = yield* query(
    `SELECT table_name FROM information_schema.columns
     WHERE table_schema = ANY (current_schemas(false))
     AND (table_name, column_name) IN (('iceberg_tables', 'table_name'), ('iceberg_tables', 'iceberg_type'),
       ('iceberg_namespace_properties', 'namespace'), ('frazil_claims', 'claim_key'))`,
  );
  if (rows.length === 4) return "all";
  return rows.some((row) => row["table_name"] === "iceberg_tables") ? "tables" : "nothing";
}

function* makeLayout(): SqlSteps<null> {
  yield* query(`SELECT pg_advisory_xact_lock(${LAYOUT_LOCK})`);
  for (const statement of LAYOUT) yield* query(statement);
  const columns = yield* query(
    `SELECT column_name FROM information_schema.columns WHERE table_schema = ANY (current_schemas(false))
     AND table_name = 'iceberg_tables' AND column_name = 'iceberg_type'`,
  );
  if (columns.length === 0) yield* query(ADD_TYPE);
  return null;
}
