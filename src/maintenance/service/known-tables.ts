import type { Catalog, LoadedTable, TableIdent } from "../../../table-format/index.ts";
import type { Clock } from "../../core/runtime.ts";

/** One of the folders in which a table's files lie. */
export interface TableLocation {
  readonly ident: TableIdent;
  readonly location: string;
}

/** Properties that name a folder for new files outside the table's location; the last two are older names of the first. */
const PATH_PROPERTIES = [
  "write.data.path",
  "write.metadata.path",
  "write.object-storage.path",
  "write.folder-storage.path",
];

/** For how long it is remembered where the tables lie: one round of cleaning over all of them. */
const LOCATIONS_KNOWN_MS = 60_000;

/** Every table of a catalog. @throws FrazilError of the catalog. */
export async function listTables(catalog: Catalog): Promise<readonly TableIdent[]> {
  const tables: TableIdent[] = [];
  for (const namespace of await catalog.listNamespaces()) tables.push(...(await catalog.listTables(namespace)));
  return tables;
}

/** Where all tables of a catalog lie, asked at most once a minute. */
export function knownLocations(
  catalog: Catalog,
  clock: Pick<Clock, "monotonicMs">,
): () => Promise<readonly TableLocation[]> {
  let known: { readonly sinceMs: number; readonly locations: Promise<readonly TableLocation[]> } | null = null;
  return async () => {
    const nowMs = clock.monotonicMs();
    if (known === null || nowMs - known.sinceMs > LOCATIONS_KNOWN_MS) {
      known = { sinceMs: nowMs, locations: tableLocations(catalog) };
      // Asked again by whoever comes next.
      known.locations.catch(() => (known = null));
    }
    return await known.locations;
  };
}

async function tableLocations(catalog: Catalog): Promise<readonly TableLocation[]> {
  const locations: TableLocation[] = [];
  for (const ident of await listTables(catalog)) {
    const loaded = await catalog.loadTable(ident);
    if (loaded !== null) locations.push(...locationsOf(loaded));
  }
  return locations;
}

/** Where a table lies, and where else its properties say that it puts files. */
export function locationsOf({ ident, metadata: { location, properties } }: LoadedTable): TableLocation[] {
  const elsewhere = PATH_PROPERTIES.flatMap((name) => properties.get(name) ?? []);
  return [location, ...elsewhere].map((folder) => ({ ident, location: folder }));
}
