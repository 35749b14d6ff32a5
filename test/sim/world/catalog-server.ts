import { type Catalog, FrazilError, type LoadedTable, MemoryCatalog } from "../../../table-format/index.ts";
import { randomUuid } from "../../../src/core/runtime.ts";
import { noAnswer } from "./faults.ts";
import type { Network } from "./network.ts";
import type { ObjectStore } from "./object-store.ts";
import type { SimProcess } from "./process.ts";
import type { Scheduler } from "./scheduler.ts";

/**
 * A catalog server that commits several tables in one transaction, and is never restarted.
 * @param committed told of the tables of each commit
 */
export function catalogServer(
  scheduler: Scheduler,
  store: ObjectStore,
  location: string,
  committed: (tables: readonly LoadedTable[]) => void,
): Catalog {
  const random = scheduler.stream("catalog server");
  const context = { nowMs: () => Math.floor(scheduler.nowMs), uuid: () => randomUuid(random) };
  const server = new MemoryCatalog("sim", store.direct(), location, context);
  const commit = server.commit.bind(server);
  server.commit = async (changes, claim) => {
    const outcome = await commit(changes, claim);
    if (outcome.outcome === "committed") committed(outcome.tables);
    return outcome;
  };
  return server;
}

/** The server as a process sees it over the network. */
export function catalogClient(server: Catalog, network: Network, process: SimProcess): Catalog {
  const ask = <T>(what: string, about: string, effect: () => Promise<T>): Promise<T> =>
    network.request(process, { what: `catalog ${what}`, kind: "read" }, about, effect);
  return {
    name: server.name,
    atomicAcrossTables: server.atomicAcrossTables,
    claims: server.claims,
    defaultLocation: server.defaultLocation.bind(server),
    listNamespaces: () => ask("list", "namespaces", () => server.listNamespaces()),
    ensureNamespace: (namespace) => ask("list", namespace.join("."), () => server.ensureNamespace(namespace)),
    listTables: (namespace) => ask("list", namespace.join("."), () => server.listTables(namespace)),
    loadTable: (ident) => ask("load", ident.name, () => server.loadTable(ident)),
    readClaim: (key) => ask("load", key, () => server.readClaim(key)),
    listClaims: (prefix) => ask("load", prefix, () => server.listClaims(prefix)),
    async commit(changes, claim) {
      const names = changes.map(({ ident }) => ident.name).join(",");
      try {
        return await network.request(process, { what: "catalog commit", kind: "write" }, names, () =>
          server.commit(changes, claim),
        );
      } catch (cause) {
        if (!(cause instanceof FrazilError) || (cause.kind !== "unavailable" && cause.kind !== "io")) throw cause;
        // A server that says it is full has done nothing, which a client cannot tell.
        return { outcome: "unknown", cause: noAnswer(`the commit of ${names}`) };
      }
    },
    close: async () => undefined,
  };
}
