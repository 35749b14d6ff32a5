import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { WarehouseSettings } from "../config/job-schema.ts";
import { WAREHOUSE_SEARCH_LEVELS } from "../core/limits.ts";
import { localPath } from "../storage/local-path.ts";

/**
 * A folder whose tables are kept by an object-store catalog has no `catalog.sqlite`, but a hint file in each table. There the
 * catalog is the one that wrote it; everywhere else settings stay as they are.
 */
export function withFoundCatalog(settings: WarehouseSettings): WarehouseSettings {
  const { location, catalog } = settings;
  if (location.startsWith("s3://") || catalog.type !== "sqlite" || catalog.path !== null) return settings;
  const folder = location.startsWith("file://") ? localPath(location) : resolve(location);
  if (existsSync(join(folder, "catalog.sqlite")) || !holdsHintedTable(folder, 1)) return settings;
  return { ...settings, catalog: { type: "object-store", name: catalog.name } };
}

/** Whether `<namespace>/<table>/metadata/version-hint.text` is below the folder. Folders that we may not list hold nothing for us. */
function holdsHintedTable(folder: string, level: number): boolean {
  let below: string[];
  try {
    below = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(folder, entry.name));
  } catch {
    return false;
  }
  if (level > 1 && below.some((path) => existsSync(join(path, "metadata", "version-hint.text")))) return true;
  return level < WAREHOUSE_SEARCH_LEVELS && below.some((path) => holdsHintedTable(path, level + 1));
}
