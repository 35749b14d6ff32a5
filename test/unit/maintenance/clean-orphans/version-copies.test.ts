import { describe, expect, it } from "vitest";
import { runCleaning } from "../../../../src/maintenance/clean-orphans/clean.ts";
import { planOrphans } from "../../../../src/maintenance/clean-orphans/plan.ts";
import type { Catalog } from "../../../../table-format/index.ts";
import {
  change,
  memoryWarehouse,
  Process,
  storeGone,
  upsertRule,
  type Warehouse,
} from "../../../support/checkpoints.ts";
import { IDENT, loaded, place } from "../../../support/maintenance.ts";
import { tableRows } from "../../../support/table-rows.ts";

const METADATA = "mem://w/shop/a/metadata";
const OLD = -1_000_000;

async function copies({ io }: Warehouse): Promise<number[]> {
  const found: number[] = [];
  for await (const { location } of io.list(METADATA)) {
    const version = /\/v(\d+)\.metadata\.json$/.exec(location)?.[1];
    if (version !== undefined) found.push(Number(version));
  }
  return found.sort((a, b) => a - b);
}

async function commit({ catalog }: Warehouse, properties: Record<string, string>): Promise<void> {
  const updates = [{ action: "set-properties" as const, updates: new Map(Object.entries(properties)) }];
  expect(await catalog.commit([{ ident: IDENT, requirements: [], updates }])).toMatchObject({ outcome: "committed" });
}

/** A table of an object-store catalog whose log names two versions before the current one, in the hands of writers that end before they trim. */
async function neglected(): Promise<{ warehouse: Warehouse; process: Process }> {
  const warehouse = memoryWarehouse("object-store");
  const process = await Process.start(warehouse, [upsertRule("a")]);
  await process.checkpoint([change("a", "+1:x:1")]);
  await commit(warehouse, { "write.metadata.previous-versions-max": "2" });
  warehouse.fault = (operation) => {
    if (operation === "delete") throw storeGone();
  };
  for (const turn of [1, 2, 3]) await commit(warehouse, { turn: String(turn) });
  warehouse.fault = () => undefined;
  return { warehouse, process };
}

async function clean(warehouse: Warehouse, process: Process, olderThanMs = OLD): Promise<string[]> {
  const settings = { olderThanMs, locations: [] };
  const plan = await planOrphans(place(warehouse, process), await loaded(warehouse), settings);
  const { deleted } = await runCleaning(place(warehouse, process), plan);
  return deleted.map(({ location }) => location.slice(METADATA.length + 1));
}

/** The numbers of the versions that the log names, and of the current one, as copies have them. */
async function named(warehouse: Warehouse): Promise<number[]> {
  const { metadata, metadataLocation } = await loaded(warehouse);
  const files = [...metadata.metadataLog.map(({ metadataFile }) => metadataFile), metadataLocation];
  return files.map((file) => Number(/\/(\d{5})-[^/]*$/.exec(file)?.[1]) + 1);
}

describe("copies of versions that a writer left when it ended between its commit and the trim", () => {
  it("are older than all others, so that no reader takes them, and stay until orphans are cleaned", async () => {
    const { warehouse, process } = await neglected();
    const strays = async () => (await copies(warehouse)).filter((copy) => copy < Math.min(...kept));
    let kept = await named(warehouse);
    const left = await strays();
    expect(left.length).toBeGreaterThanOrEqual(3);
    // Readers of folders take the highest number, which is the current version.
    expect((await copies(warehouse)).at(-1)).toBe(kept.at(-1));
    await commit(warehouse, { turn: "4" });
    kept = await named(warehouse);
    expect(await strays()).toEqual(left);
    expect(await clean(warehouse, process, 1_000_000_000)).toEqual([]);
    const rows = await tableRows(warehouse.io, warehouse.catalog, IDENT);
    const deleted = await clean(warehouse, process);
    expect(deleted.filter((name) => name.startsWith("v")).sort()).toEqual(
      left.map((v) => `v${v}.metadata.json`).sort(),
    );
    expect(await copies(warehouse)).toEqual(kept);
    expect(await tableRows(warehouse.io, warehouse.catalog, IDENT)).toEqual(rows);
    await (await Process.start(warehouse, [upsertRule("a")])).checkpoint([change("a", "~1:x:2")]);
  });

  it("are left alone where the hint is another catalog's, or none", async () => {
    const { warehouse, process } = await neglected();
    const before = await copies(warehouse);
    const table = await loaded(warehouse);
    // The table is found without its hint, as in a catalog that needs none.
    const catalog = { loadTable: async () => table } as unknown as Catalog;
    for (const hint of ["7", "garbage", null]) {
      const location = `${METADATA}/version-hint.text`;
      if (hint === null) await warehouse.io.delete(location);
      else await warehouse.io.write(location, new TextEncoder().encode(hint));
      const context = { ...place(warehouse, process), catalog };
      const plan = await planOrphans(context, table, { olderThanMs: OLD, locations: [] });
      expect(plan.orphans.filter((orphan) => /\/v\d+\./.test(orphan.location))).toEqual([]);
      expect(plan.unknown).toBeGreaterThanOrEqual(before.length);
    }
  });
});
