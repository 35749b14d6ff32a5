import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRuntime } from "../../../src/cli/runtime.ts";
import { branchCatalog } from "../../../src/commit/branch-view.ts";
import { pipelineCut } from "../../../src/commit/publish-cut.ts";
import { warehouseAt } from "../../../src/config/load.ts";
import { restoreRows } from "../../../src/maintenance/restore/restore.ts";
import { publish } from "../../../src/pipeline/publish.ts";
import { rowsToRestore } from "../../../src/query/restore.ts";
import { openWarehouse } from "../../../src/warehouse.ts";
import { createManifestCache, type LoadedTable, snapshotById } from "../../../table-format/index.ts";
import { openReaders, type Readers } from "../../readers/reader.ts";
import { requireServers, withReason } from "../../require.ts";
import { movingKeys, runScript } from "../../support/scripted-job.ts";

const missing = await requireServers("readers");
const IDENT = { namespace: ["shop"], name: "t" };
const ROWS = 60;

const CHANGES = movingKeys(ROWS, 4);

describe.skipIf(missing !== null)(withReason("rows that were restored, and branches", missing), () => {
  let readers: Readers;
  beforeAll(async () => {
    readers = await openReaders({ timeoutMs: 400_000 });
  });
  afterAll(async () => {
    await readers?.[Symbol.asyncDispose]();
  });

  it.each([2, 3] as const)(
    "are read by PyIceberg and DuckDB as they were, in format version %i",
    async (formatVersion) => {
      const folder = mkdtempSync(join(tmpdir(), "frazil-restore-"));
      const runtime = createRuntime({ debug() {}, info() {}, warn() {}, error() {} }, undefined);
      const warehouse = await openWarehouse(warehouseAt(folder, {}), runtime, "create");
      const { catalog, io } = warehouse;
      const run = (upTo: number): Promise<void> =>
        runScript({ ...warehouse, catalog: branchCatalog(catalog, "audit") }, CHANGES.slice(0, upTo), {
          rule: { formatVersion, partitionBy: ["part"] },
          checkpointRows: 20,
        });
      const toMain = async (): Promise<void> => {
        const place = { ...warehouse, warehouseLocation: warehouse.location, pipeline: "test" };
        const cut = await pipelineCut(place, "audit", () => [IDENT]);
        const { failed } = await publish({ ...warehouse, runtime }, "audit", cut, ["SELECT count(*) > 0 FROM shop.t"]);
        expect(failed).toEqual([]);
      };
      const load = async (): Promise<LoadedTable> => (await catalog.loadTable(IDENT)) as LoadedTable;
      const located = { sqlite: join(folder, "catalog.sqlite"), table: "shop.t" };
      const seen = async (snapshotId?: bigint) => {
        const options = snapshotId === undefined ? {} : { snapshotId };
        return [(await readers.pyiceberg(located, options)).lines, (await readers.duckdb(located, options)).lines];
      };
      try {
        await run(2 * ROWS);
        // A table that only its branch holds, and so has no current snapshot.
        expect((await readers.pyiceberg(located)).lines).toEqual([]);
        const { refs } = await readers.describe(located);
        expect(Object.keys(refs).toSorted()).toEqual(["audit", "ingest.test"]);
        await toMain();
        const from = (await load()).metadata.currentSnapshotId as bigint;
        const then = await seen();
        expect(then[0]?.length).toBeGreaterThan(ROWS / 2);
        await run(4 * ROWS);
        expect(await seen()).toEqual(then);
        await toMain();
        expect((await seen())[0]).not.toEqual(then[0]);

        const find = (base: LoadedTable) => {
          const past = snapshotById(base.metadata, from);
          if (past === null) throw new Error(`snapshot ${from} has expired`);
          return rowsToRestore(warehouse, base, past, { where: "true" }, true);
        };
        const table = await load();
        const context = { catalog, io, runtime, manifests: createManifestCache(100) };
        const done = await restoreRows(context, { table, from, rows: await find(table), find });
        expect(done.rows.rows.length).toBeGreaterThan(10);
        expect(await seen()).toEqual(then);
        expect(await seen(from)).toEqual(then);
      } finally {
        await catalog.close();
        rmSync(folder, { recursive: true, force: true });
      }
    },
    400_000,
  );
});
