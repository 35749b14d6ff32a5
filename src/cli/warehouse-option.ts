import type { WarehouseSettings } from "../config/job-schema.ts";
import { warehouseAt } from "../config/load.ts";
import { type LoadedTable, type TableIdent } from "../../table-format/index.ts";
import { listTables, notFound } from "../query/table-names.ts";
import type { AnyJob } from "../registry.ts";
import { openWarehouse, type Warehouse } from "../warehouse.ts";
import type { CliContext } from "./context.ts";
import { withFoundCatalog } from "./object-store-folder.ts";

/** Where `frazil demo` and the example jobs write, and where verbs look when nothing is named. */
const DEFAULT_LOCATION = "./warehouse";

/** Opens the warehouse of `--warehouse` for reading, runs, and closes it. */
export async function withWarehouse<T>(context: CliContext, run: (warehouse: Warehouse) => Promise<T>): Promise<T> {
  const warehouse = await openWarehouse(warehouseSettings(context), context.runtime, "read");
  try {
    return await run(warehouse);
  } finally {
    await warehouse.catalog.close();
  }
}

/** The same for the warehouse that a job writes to. */
export function withWarehouseOf(job: AnyJob) {
  return async <T>(context: CliContext, run: (warehouse: Warehouse) => Promise<T>): Promise<T> => {
    const warehouse = await openWarehouse(job.warehouse, context.runtime, "read");
    try {
      return await run(warehouse);
    } finally {
      await warehouse.catalog.close();
    }
  };
}

/** What `--warehouse` means: what a job file with that location alone would, or the catalog that is found there. */
export function warehouseSettings({ globals }: CliContext): WarehouseSettings {
  return withFoundCatalog(warehouseAt(globals.warehouse ?? DEFAULT_LOCATION, globals.env));
}

/**
 * The table that the user named.
 *
 * @throws FrazilError `not-found`, code `TABLE_NOT_FOUND`, with the nearest name there is.
 */
export async function namedTable(warehouse: Warehouse, name: string): Promise<LoadedTable> {
  const parts = name.split(".");
  const ident: TableIdent = { namespace: parts.slice(0, -1), name: parts.at(-1) ?? "" };
  const table = parts.length > 1 ? await warehouse.catalog.loadTable(ident) : null;
  if (table !== null) return table;
  throw notFound(name, warehouse.location, await listTables(warehouse.catalog));
}
