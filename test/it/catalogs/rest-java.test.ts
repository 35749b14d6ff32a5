import { existsSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRuntime } from "../../../src/cli/runtime.ts";
import { parseJob } from "../../../src/config/load.ts";
import { SOURCES } from "../../../src/registry.ts";
import { run } from "../../../src/run.ts";
import { expectedTables } from "../../../src/sources/generator/expected.ts";
import { createLocalStorage } from "../../../src/storage/local.ts";
import { RestCatalog, type TableIdent } from "../../../table-format/index.ts";
import { canonicalLines, type CanonicalRow } from "../../readers/canonical.ts";
import { openReaders } from "../../readers/reader.ts";
import { requireServers, withReason } from "../../require.ts";
import { catalogSuite } from "../../conformance/catalog-suite.ts";
import { type RunningRestCatalog, startIcebergRest } from "../../services/iceberg-rest.ts";
import { creation } from "../../unit/table-format/metadata/fixture.ts";
import { emptyCatalog, restContext } from "./rest-context.ts";

const missing = await requireServers("iceberg-rest", "readers");
describe.skipIf(missing !== null)(withReason("a REST catalog: Apache Iceberg's own server", missing), () => {
  let server: RunningRestCatalog;
  beforeAll(async () => {
    server = await startIcebergRest();
  });
  afterAll(() => server?.stop());

  catalogSuite("catalog", async () => {
    const connectTo = (warehouse: string): RestCatalog =>
      new RestCatalog({ name: "lake", uri: server.uri, warehouseLocation: warehouse }, restContext);
    await emptyCatalog(connectTo(server.warehouse));
    const warehouse = mkdtempSync(join(server.warehouse, "lake-"));
    return { io: createLocalStorage(), warehouse, connect: () => connectTo(warehouse) };
  });

  it("registers, renames, drops and purges tables, and lists views beside them", async () => {
    const catalog = new RestCatalog(
      { name: "lake", uri: server.uri, warehouseLocation: server.warehouse },
      restContext,
    );
    await emptyCatalog(catalog);
    expect(await catalog.namespaces.create(["verbs"], new Map([["owner", "me"]]))).toBe(true);
    expect(await catalog.namespaces.create(["verbs"], new Map())).toBe(false);
    await catalog.namespaces.change(["verbs"], new Map([["team", "ice"]]), ["owner"]);
    const properties = await catalog.namespaces.properties(["verbs"]);
    expect([properties?.get("team"), properties?.has("owner")]).toEqual(["ice", false]);

    const [a, b, c] = ["a", "b", "c"].map((name): TableIdent => ({ namespace: ["verbs"], name })) as [
      TableIdent,
      TableIdent,
      TableIdent,
    ];
    const location = mkdtempSync(join(server.warehouse, "verbs-"));
    await catalog.commit([{ ident: a, requirements: [{ type: "assert-create" }], updates: creation(location) }]);
    await catalog.renameTable(a, b);
    expect(await catalog.loadTable(a)).toBeNull();
    const table = await catalog.loadTable(b);
    await expect(catalog.renameTable(a, c)).rejects.toMatchObject({ kind: "not-found" });
    await catalog.dropTable(b, false);
    expect((await catalog.registerTable(c, table?.metadataLocation ?? "")).metadata).toEqual(table?.metadata);
    await expect(catalog.registerTable(c, table?.metadataLocation ?? "")).rejects.toMatchObject({ kind: "conflict" });
    await expect(catalog.namespaces.drop(["verbs"])).rejects.toMatchObject({ kind: "conflict" });

    await createView(`${server.uri}/v1/namespaces/verbs/views`, "v");
    expect(await catalog.namespaces.views(["verbs"])).toEqual([{ namespace: ["verbs"], name: "v" }]);
    expect(await catalog.listTables(["verbs"])).toEqual([c]);
    const taken = { namespace: ["verbs"], name: "v" };
    const change = {
      ident: taken,
      requirements: [{ type: "assert-create" }] as const,
      updates: creation(`${location}/v`),
    };
    expect(await catalog.commit([change])).toMatchObject({ outcome: "conflict" });
    await fetch(`${server.uri}/v1/namespaces/verbs/views/v`, { method: "DELETE" });

    await catalog.dropTable(c, true);
    expect(existsSync(table?.metadataLocation ?? "")).toBe(false);
    await expect(catalog.dropTable(c, true)).rejects.toMatchObject({ kind: "not-found" });
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

/** A view of one column, which only other engines make. */
async function createView(url: string, name: string): Promise<void> {
  const schema = { type: "struct", "schema-id": 0, fields: [{ id: 1, name: "one", type: "int", required: false }] };
  const version = {
    "version-id": 1,
    "timestamp-ms": Date.now(),
    "schema-id": 0,
    summary: {},
    representations: [{ type: "sql", sql: "SELECT 1 AS one", dialect: "spark" }],
    "default-namespace": [],
  };
  const body = JSON.stringify({ name, schema, "view-version": version, properties: {} });
  const response = await fetch(url, { method: "POST", body, headers: { "Content-Type": "application/json" } });
  if (!response.ok) throw new Error(await response.text());
}
