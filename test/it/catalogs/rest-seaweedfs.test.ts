import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRuntime } from "../../../src/cli/runtime.ts";
import { parseJob } from "../../../src/config/load.ts";
import { SOURCES } from "../../../src/registry.ts";
import { run } from "../../../src/run.ts";
import { expectedTables } from "../../../src/sources/generator/expected.ts";
import { createS3Storage } from "../../../src/storage/s3.ts";
import { RestCatalog } from "../../../table-format/index.ts";
import { catalogSuite } from "../../conformance/catalog-suite.ts";
import { canonicalLines, type CanonicalRow } from "../../readers/canonical.ts";
import { openReaders } from "../../readers/reader.ts";
import { requireServers, withReason } from "../../require.ts";
import { type RunningStoreCatalog, startSeaweedfsRest } from "../../services/seaweedfs-rest.ts";
import { emptyCatalog, restContext } from "./rest-context.ts";

const missing = await requireServers("seaweedfs-rest", "readers");
describe.skipIf(missing !== null)(withReason("a REST catalog: SeaweedFS", missing), () => {
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const runtime = createRuntime(silent, undefined);
  let server: RunningStoreCatalog;
  beforeAll(async () => {
    server = await startSeaweedfsRest();
  });
  afterAll(() => server?.stop());

  const s3 = (): Pick<RunningStoreCatalog, "endpoint" | "region" | "accessKeyId" | "secretAccessKey"> => {
    const { endpoint, region, accessKeyId, secretAccessKey } = server;
    return { endpoint, region, accessKeyId, secretAccessKey };
  };

  catalogSuite("catalog", async () => {
    const { uri, warehouse, credential } = server;
    const connect = (): RestCatalog =>
      new RestCatalog({ name: "lake", uri, warehouse, credential, warehouseLocation: warehouse }, restContext);
    await emptyCatalog(connect());
    return { io: createS3Storage(s3(), runtime), warehouse, connect, ownWays: true, lastCreationStays: true };
  });

  it("takes a job's tables, which PyIceberg finds through the same server", async () => {
    const { uri, warehouse, credential, bucket } = server;
    const source = { type: "generator", seed: 7, events: 4000, splits: 2 } as const;
    const { endpoint, region, accessKeyId, secretAccessKey } = s3();
    const job = parseJob(
      {
        name: "rest",
        source,
        warehouse: {
          location: `s3://${bucket}/jobs`,
          catalog: { type: "rest", uri, warehouse, credential, table_location: warehouse },
          s3: { endpoint, region, access_key_id: accessKeyId, secret_access_key: secretAccessKey },
        },
        tables: [{ from: "shop.customers", to: "rest.customers", mode: "upsert", partition_by: ["region"] }],
        checkpoint: { max_rows: 1000 },
      },
      SOURCES,
    );
    const observer = { started() {}, progress() {}, committed() {}, notice() {} };
    const stop = new AbortController().signal;
    await run(job, runtime, { end: { caughtUp: true, afterMs: null, maxRows: null }, stop, observer });
    await using readers = await openReaders();
    const columns = ["region", "name", "email", "vip"];
    const table = { rest: uri, table: "rest.customers", properties: { warehouse, credential } };
    const seen = await readers.pyiceberg(table, { columns, s3: s3() });
    const rows = expectedTables(source).get("shop.customers") as readonly CanonicalRow[];
    expect(seen.lines).toEqual(canonicalLines(columns, rows));
  });
});
