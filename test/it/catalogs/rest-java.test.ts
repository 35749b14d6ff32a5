import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRuntime } from "../../../src/cli/runtime.ts";
import { parseJob } from "../../../src/config/load.ts";
import { SOURCES } from "../../../src/registry.ts";
import { run } from "../../../src/run.ts";
import { expectedTables } from "../../../src/sources/generator/expected.ts";
import { createLocalStorage } from "../../../src/storage/local.ts";
import { RestCatalog } from "../../../table-format/catalog/rest/rest-catalog.ts";
import { canonicalLines, type CanonicalRow } from "../../readers/canonical.ts";
import { openReaders } from "../../readers/reader.ts";
import { requireServers, withReason } from "../../require.ts";
import { catalogSuite } from "../../conformance/catalog-suite.ts";
import { type RunningRestCatalog, startIcebergRest } from "../../services/iceberg-rest.ts";

const context = {
  fetch: globalThis.fetch,
  nowMs: () => Date.now(),
  uuid: () => crypto.randomUUID(),
  sleep: (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms)),
};

const missing = await requireServers("iceberg-rest", "readers");
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

  it("takes a job's tables, which PyIceberg finds through the same server", async () => {
    const silent = { debug() {}, info() {}, warn() {}, error() {} };
    const runtime = createRuntime(silent, undefined);
    const location = mkdtempSync(join(server.warehouse, "job-"));
    const source = { type: "generator", seed: 7, events: 4000, splits: 2 } as const;
    const job = parseJob(
      {
        name: "rest",
        source,
        warehouse: { location, catalog: { type: "rest", uri: server.uri } },
        tables: [
          { from: "shop.customers", to: "rest.customers", mode: "upsert", partition_by: ["region"] },
          { from: "shop.orders", to: "rest.orders", mode: "upsert" },
        ],
        checkpoint: { max_rows: 1000 },
      },
      SOURCES,
    );
    const observer = { started() {}, progress() {}, committed() {}, notice() {} };
    const stop = new AbortController().signal;
    // In two runs: the second finds where the first one stood.
    for (const maxRows of [1500, null]) {
      await run(job, runtime, { end: { caughtUp: true, afterMs: null, maxRows }, stop, observer });
    }
    await using readers = await openReaders();
    const expected = expectedTables(source);
    for (const [name, columns] of [
      ["customers", ["region", "name", "email", "vip"]],
      ["orders", ["status", "quantity", "note"]],
    ] as const) {
      const seen = await readers.pyiceberg({ rest: server.uri, table: `rest.${name}` }, { columns });
      const rows = expected.get(`shop.${name}`) as readonly CanonicalRow[];
      expect(seen.lines).toEqual(canonicalLines(columns, rows));
    }
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
