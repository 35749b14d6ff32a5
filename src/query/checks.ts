import {
  type Catalog,
  catalogView,
  FrazilError,
  identText,
  type LoadedTable,
  type Snapshot,
} from "../../table-format/index.ts";
import { openQuery } from "./query.ts";
import type { QueryWarehouse } from "./query-warehouse.ts";

/** A table as if a snapshot were its current one. */
export interface TableState {
  readonly table: LoadedTable;
  readonly snapshot: Snapshot;
}

/** A check that does not hold. */
export interface FailedCheck {
  readonly sql: string;
  /** What the statement gave, for people. */
  readonly found: string;
}

/** So many rows of a check that fails are told. */
const TOLD_ROWS = 3;

/**
 * Runs checks over tables in given states; others are read as they are now. A check is one SELECT. It holds when it gives no row (it looked
 * for what must not be), or a single row of a single column that is true.
 *
 * @returns those that do not hold, in order. @throws FrazilError as `openQuery`: a check that cannot be run is an error, not a failed one.
 */
export async function failedChecks(
  warehouse: QueryWarehouse,
  checks: readonly string[],
  states: readonly TableState[],
): Promise<readonly FailedCheck[]> {
  const pinned = { ...warehouse, catalog: pinnedCatalog(warehouse.catalog, states) };
  const failed: FailedCheck[] = [];
  for (const sql of checks) {
    const found = await resultOf(pinned, sql);
    if (found !== null) failed.push({ sql, found });
  }
  return failed;
}

/** What a check gave; null: it holds. */
async function resultOf(warehouse: QueryWarehouse, sql: string): Promise<string | null> {
  const query = await openQuery(warehouse, sql, null).catch((error: unknown) => {
    if (!(error instanceof FrazilError) || error.code !== "SQL_ERROR") throw error;
    throw new FrazilError("config", "SQL_ERROR", `the check ${sql}: ${error.message}`, {
      cause: error,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  });
  try {
    if (query.names.length === 0) {
      throw new FrazilError(
        "config",
        "SQL_ERROR",
        `the check ${sql}: expected a SELECT, found a statement without rows`,
      );
    }
    const rows: string[] = [];
    let count = 0;
    let isTrue = false;
    for await (const chunk of query.chunks()) {
      for (const row of chunk) {
        count++;
        isTrue = count === 1 && row.length === 1 && row[0] === true;
        if (rows.length < TOLD_ROWS) {
          rows.push(query.names.map((name, index) => `${name}: ${String(row[index])}`).join(", "));
        }
      }
      if (count > TOLD_ROWS) break;
    }
    if (count === 0 || isTrue) return null;
    return count > TOLD_ROWS ? `more than ${TOLD_ROWS} rows: ${rows.join("; ")}` : rows.join("; ");
  } finally {
    await query.close();
  }
}

function pinnedCatalog(catalog: Catalog, states: readonly TableState[]): Catalog {
  const byName = new Map(states.map((state) => [identText(state.table.ident), state]));
  return catalogView(catalog, {
    async loadTable(ident) {
      const state = byName.get(identText(ident));
      if (state === undefined) return catalog.loadTable(ident);
      const { table, snapshot } = state;
      return { ...table, metadata: { ...table.metadata, currentSnapshotId: snapshot.snapshotId } };
    },
    close: async () => undefined,
  });
}
