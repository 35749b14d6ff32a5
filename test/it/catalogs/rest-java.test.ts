import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe } from "vitest";
import { createLocalStorage } from "../../../src/storage/local.ts";
import { RestCatalog } from "../../../table-format/catalog/rest/rest-catalog.ts";
import { requireServers, withReason } from "../../require.ts";
import { catalogSuite } from "../../conformance/catalog-suite.ts";
import { type RunningRestCatalog, startIcebergRest } from "../../services/iceberg-rest.ts";

const context = {
  fetch: globalThis.fetch,
  nowMs: () => Date.now(),
  uuid: () => crypto.randomUUID(),
  sleep: (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms)),
};

const missing = await requireServers("iceberg-rest");
describe.skipIf(missing !== null)(withReason("a REST catalog: Apache Iceberg's own server", missing), () => {
  let server: RunningRestCatalog;
  beforeAll(async () => {
    server = await startIcebergRest();
  });
  afterAll(() => server?.stop());

  catalogSuite("catalog", async () => {
    const connectTo = (warehouse: string): RestCatalog =>
      new RestCatalog({ name: "lake", uri: server.uri, warehouseLocation: warehouse }, context);
    await emptyCatalog(connectTo(server.warehouse));
    const warehouse = mkdtempSync(join(server.warehouse, "lake-"));
    return { io: createLocalStorage(), warehouse, connect: () => connectTo(warehouse) };
  });
});

/** Drops all tables and namespaces: the server has one catalog. */
async function emptyCatalog(catalog: RestCatalog): Promise<void> {
  const found = await catalog.listNamespaces();
  for (const namespace of found.toReversed()) {
    for (const ident of await catalog.listTables(namespace)) await catalog.dropTable(ident, false);
    await catalog.namespaces.drop(namespace);
  }
}
