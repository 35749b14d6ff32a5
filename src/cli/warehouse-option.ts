import type { WarehouseSettings } from "../config/job-schema.ts";
import { warehouseNamed, warehouseOfFile } from "../config/warehouse-name.ts";
import { openWarehouse, type Warehouse } from "../warehouse.ts";
import type { CliContext } from "./context.ts";
import { withFoundCatalog } from "./object-store-folder.ts";
import { type FileWanted, readNamedFile } from "./read-file.ts";

/** Where `frazil demo` and the example jobs write, and where verbs look when nothing is named. */
const DEFAULT_LOCATION = "./warehouse";

const JOB_FILE: FileWanted = {
  what: "job file",
  code: "WAREHOUSE_INVALID",
  hint: "--warehouse takes a folder, s3://bucket/prefix, postgres://…?location=…, or a job file",
};

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

/** What `--warehouse` means: what a job file with that location alone would, or the catalog that is found there; or the warehouse of a file. */
export function warehouseSettings({ globals }: CliContext): WarehouseSettings {
  const named = globals.warehouse ?? DEFAULT_LOCATION;
  if (isFile(named)) return warehouseOfFile(readNamedFile(named, JOB_FILE), named, globals.env);
  return withFoundCatalog(warehouseNamed(named, globals.env));
}

/** Names of YAML files, as job files have them, are no folders. */
function isFile(named: string): boolean {
  return /\.ya?ml$/i.test(named) && !/^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(named);
}
