import { readFileSync } from "node:fs";
import type { WarehouseSettings } from "../config/job-schema.ts";
import { warehouseNamed, warehouseOfFile } from "../config/warehouse-name.ts";
import { FrazilError } from "../core/errors.ts";
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

/** What `--warehouse` means: what a job file with that location alone would, or the catalog that is found there; or the warehouse of a file. */
export function warehouseSettings({ globals }: CliContext): WarehouseSettings {
  const named = globals.warehouse ?? DEFAULT_LOCATION;
  if (isFile(named)) return warehouseOfFile(readText(named), named, globals.env);
  return withFoundCatalog(warehouseNamed(named, globals.env));
}

/** Names of YAML files, as job files have them, are no folders. */
function isFile(named: string): boolean {
  return /\.ya?ml$/i.test(named) && !/^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(named);
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new FrazilError("config", "WAREHOUSE_INVALID", `${path} cannot be read: ${(cause as Error).message}`, {
      cause,
      hint: "--warehouse takes a folder, s3://bucket/prefix, a job file or postgres://…?location=…",
    });
  }
}
