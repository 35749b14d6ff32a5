import { createMemoryStorage } from "../../../../../src/storage/memory.ts";
import { MemoryCatalog, RestCatalog, type TableChange, type TableIdent } from "../../../../../table-format/index.ts";
import { type RestServer, type RestServerOptions, startRestServer } from "../../../../support/rest/rest-server.ts";
import { creation, T0 } from "../../metadata/fixture.ts";

type Options = Omit<ConstructorParameters<typeof RestCatalog>[0], "name" | "uri" | "warehouseLocation">;

/** A REST catalog's client, the server that it asks, and the catalog behind that. */
export interface ServedCatalog extends AsyncDisposable {
  readonly server: RestServer;
  readonly behind: MemoryCatalog;
  readonly catalog: RestCatalog;
  /** The client's clock. */
  nowMs: number;
  /** How long the client has waited, each time. */
  readonly slept: number[];
}

/** @param server what the server does @param options of the client */
export async function serveCatalog(server: RestServerOptions = {}, options: Options = {}): Promise<ServedCatalog> {
  const slept: number[] = [];
  const clock = { nowMs: () => served.nowMs, uuid: () => crypto.randomUUID() };
  const behind = new MemoryCatalog("behind", createMemoryStorage(), "/lake", clock);
  const started = await startRestServer(behind, server);
  const sleep = async (ms: number): Promise<void> => void slept.push(ms);
  const catalog = new RestCatalog(
    { name: "lake", uri: `${started.uri}/`, warehouseLocation: "/lake", ...options },
    { ...clock, fetch, sleep },
  );
  const served = {
    server: started,
    behind,
    catalog,
    nowMs: Number(T0),
    slept,
    [Symbol.asyncDispose]: async () => started[Symbol.asyncDispose](),
  };
  return served;
}

/** The change that creates a table. */
export function createsTable(ident: TableIdent): TableChange {
  const updates = creation(`/lake/shop/${ident.name}`);
  return { ident, requirements: [{ type: "assert-create" }], updates };
}
