import type { Catalog, TableIdent } from "../../../table-format/index.ts";
import type { Clock } from "../../core/runtime.ts";

export interface TableLocation {
  readonly ident: TableIdent;
  readonly location: string;
}

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
    if (loaded !== null) locations.push({ ident, location: loaded.metadata.location });
  }
  return locations;
}
