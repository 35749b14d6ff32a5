import type { WarehouseSettings } from "../config/job-schema.ts";
import { warehouseAt } from "../config/load.ts";
import { openWarehouse, type Warehouse } from "../warehouse.ts";
import type { CliContext } from "./context.ts";
import { withFoundCatalog } from "./object-store-folder.ts";

/** Where `frazil demo` and the example jobs write, and where verbs look when nothing is named. */
const DEFAULT_LOCATION = "./warehouse";

/** Opens the warehouse of `--warehouse`, or another, for reading, runs, and closes it. */
export async function withWarehouse<T>(
  context: CliContext,
  run: (warehouse: Warehouse) => Promise<T>,
  settings: WarehouseSettings = warehouseSettings(context),
): Promise<T> {
  const warehouse = await openWarehouse(settings, context.runtime, "read");
  try {
    return await run(warehouse);
  } finally {
    await warehouse.catalog.close();
  }
}

/** What `--warehouse` means: what a job file with that location alone would, or the catalog that is found there. */
export function warehouseSettings({ globals }: CliContext): WarehouseSettings {
  return withFoundCatalog(warehouseAt(globals.warehouse ?? DEFAULT_LOCATION, globals.env));
}
