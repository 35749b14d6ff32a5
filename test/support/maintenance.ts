import {
  createManifestCache,
  type FileIO,
  type LoadedTable,
  type ManifestCache,
  planSnapshot,
  readManifestList,
  type Snapshot,
  type TableMetadata,
} from "../../table-format/index.ts";
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

/** Every file that a snapshot needs; each must be there. @param manifests that were read before: what they name must be there all the same */
export async function filesOf(
  io: FileIO,
  metadata: TableMetadata,
  snapshots: readonly Snapshot[],
  manifests?: ManifestCache,
): Promise<Set<string>> {
  const files = new Set<string>();
  for (const snapshot of snapshots) {
    files.add(snapshot.manifestList);
    for (const { path } of await readManifestList(io, snapshot)) files.add(path);
    const plan = await planSnapshot(io, metadata, snapshot, manifests);
    for (const { file } of plan.dataFiles) files.add(file.filePath);
    for (const deletes of plan.deletes.values()) for (const { file } of deletes) files.add(file.filePath);
  }
  return files;
}

/** Files in the table's folder but for its metadata files. */
export async function stored(io: FileIO): Promise<Set<string>> {
  const files = new Set<string>();
  for await (const { location } of io.list("mem://w/shop/a")) {
    if (!/metadata\.json$|version-hint\.text$/.test(location)) files.add(location);
  }
  return files;
}
