import type { RestCatalog, RestContext } from "../../../table-format/index.ts";

/** The machine's network, clock and random numbers. */
export const restContext: RestContext = {
  fetch: globalThis.fetch,
  nowMs: () => Date.now(),
  uuid: () => crypto.randomUUID(),
  sleep: (durationMs) => new Promise<void>((resolve) => void setTimeout(resolve, durationMs)),
};

/** Drops all tables and namespaces: such a server has one catalog. */
export async function emptyCatalog(catalog: RestCatalog): Promise<void> {
  const found = await catalog.listNamespaces();
  for (const namespace of found.toReversed()) {
    for (const ident of await catalog.listTables(namespace)) await catalog.dropTable(ident, false);
    await catalog.namespaces.drop(namespace);
  }
}
