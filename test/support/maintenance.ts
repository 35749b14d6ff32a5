import { createManifestCache, type LoadedTable } from "../../table-format/index.ts";
import type { Process, Warehouse } from "./checkpoints.ts";

/** The table that maintenance tests work on: `shop.a` of `upsertRule("a")`. */
export const IDENT = { namespace: ["shop"], name: "a" };

export async function loaded({ catalog }: Warehouse): Promise<LoadedTable> {
  const table = await catalog.loadTable(IDENT);
  if (table === null) throw new Error("no table");
  return table;
}

/** What a table service needs, as another process of the same machine. */
export function place(warehouse: Warehouse, { runtime }: Process) {
  return { ...warehouse, runtime, manifests: createManifestCache(1_000), warehouseLocation: "mem://w" };
}
