import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { snapshotHolder } from "../../../src/core/snapshot-holds.ts";
import { planExpiry, runExpiry } from "../../../src/maintenance/expire/expire.ts";
import { tableNow } from "../../../src/query/as-of.ts";
import { openQuery } from "../../../src/query/query.ts";
import { ALL_ROWS } from "../../../src/query/row-choice.ts";
import { openScan } from "../../../src/query/scan.ts";
import { openSession } from "../../../src/query/session.ts";
import type { Warehouse } from "../../../src/warehouse.ts";
import { type Catalog, createManifestCache } from "../../../table-format/index.ts";
import { virtualRuntime } from "../../support/virtual-runtime.ts";
import { TestTable } from "../table-format/test-table.ts";
import { temporaryWarehouse } from "./local-warehouse.ts";

/** By the warehouse's clock. */
const NOW_MS = 1_795_000_000_000;
const HOUR_MS = 3_600_000;
const ALL = "SELECT id FROM ns.t ORDER BY id";

/** Two snapshots that share no data file; the ids are the rows of the first. */
async function twoSnapshots(place: Warehouse) {
  const table = await TestTable.create(place.io, place.catalog, { formatVersion: 3 });
  await table.change({ insert: [1n, 2n, 3n].map((id) => ({ id, name: "a", day: 1 })) });
  const files = table.paths;
  await table.change({ rewrite: files, operation: "replace" });
  const [first, second] = [...table.history.keys()] as [bigint, bigint];
  return { first, second, files };
}

const load = async ({ catalog }: Pick<Warehouse, "catalog">) =>
  (await catalog.loadTable({ namespace: ["ns"], name: "t" }))!;

/** Expires all that may go. @returns what went */
async function expire(place: Warehouse, { nowMs = NOW_MS, catalog = place.catalog } = {}): Promise<readonly bigint[]> {
  const runtime = virtualRuntime(1);
  const clock = { ...runtime.clock, nowMs: () => nowMs };
  const context = {
    ...{ io: place.io, catalog, runtime: { ...runtime, clock }, manifests: createManifestCache(100) },
    warehouseLocation: place.location,
  };
  const policy = { minSnapshotsToKeep: 1, maxSnapshotAgeMs: -BigInt(NOW_MS) };
  const plan = await planExpiry(context, await load({ catalog }), policy);
  if (plan.expired.snapshotIds.length > 0) await runExpiry(context, plan);
  const left = new Set((await load(place)).metadata.snapshots.map(({ snapshotId }) => snapshotId));
  return plan.expired.snapshotIds.filter((id) => !left.has(id));
}

const holds = (place: Warehouse): string[] => {
  const folder = join(place.location, "_frazil/readers");
  return existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((e) => (e.isFile() ? [e.name] : []))
    : [];
};

it("leaves what a query reads until it has ended", async () => {
  await using place = await temporaryWarehouse();
  const { first } = await twoSnapshots(place);
  const query = await openQuery(place, ALL, String(first));
  expect(await expire(place)).toEqual([]);
  expect((await Array.fromAsync(query.chunks())).flat()).toEqual([[1n], [2n], [3n]]);
  await query.close();
  expect(holds(place)).toEqual([]);
  expect(await expire(place)).toEqual([first]);
});

it("leaves what is read row by row, and what a session's views are of", async () => {
  await using place = await temporaryWarehouse();
  const { first } = await twoSnapshots(place);
  const session = await openSession(place);
  await session.query(ALL, String(first));
  expect(await expire(place)).toEqual([]);
  // The next statement is of now: nothing holds the past any more.
  await session.query(ALL, null);
  const scan = await openScan(place, tableNow(await load(place)), ALL_ROWS);
  expect(holds(place).length).toBe(2);
  expect(await expire(place)).toEqual([first]);
  await scan.close();
  await session.close();
  expect(holds(place)).toEqual([]);
});

it("deletes nothing that a reader has come to while the expiry was committed", async () => {
  await using place = await temporaryWarehouse();
  const { first, files } = await twoSnapshots(place);
  let open: Awaited<ReturnType<typeof openQuery>> | undefined;
  const { catalog } = place;
  const commit: Catalog["commit"] = async (changes) => {
    // It has looked for readers before.
    open ??= await openQuery(place, ALL, String(first));
    return catalog.commit(changes);
  };
  const slow = new Proxy(catalog, {
    get(target, property) {
      const value: unknown = property === "commit" ? commit : Reflect.get(target, property, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
  expect(await expire(place, { catalog: slow })).toEqual([first]);
  // DuckDB may have opened them before.
  for (const file of files) expect(await place.io.stat(file)).not.toBeNull();
  expect((await Array.fromAsync(open!.chunks())).flat()).toEqual([[1n], [2n], [3n]]);
  await open!.close();
});

it("says that the snapshot is gone when it went just before", async () => {
  await using place = await temporaryWarehouse();
  const { first } = await twoSnapshots(place);
  const hold: NonNullable<Warehouse["hold"]> = async (table, id) => {
    await expire(place);
    return place.hold!(table, id);
  };
  await expect(openQuery({ ...place, hold }, ALL, String(first))).rejects.toMatchObject({ code: "SNAPSHOT_NOT_FOUND" });
  expect(holds(place)).toEqual([]);
});

it("does not wait for a reader that is gone for ever, and forgets him", async () => {
  await using place = await temporaryWarehouse();
  const { first } = await twoSnapshots(place);
  await place.hold!(await load(place), first);
  expect(await expire(place, { nowMs: NOW_MS + 5 * HOUR_MS })).toEqual([]);
  expect(holds(place).length).toBe(1);
  expect(await expire(place, { nowMs: NOW_MS + 7 * HOUR_MS })).toEqual([first]);
  expect(holds(place)).toEqual([]);
});

it("reads without a hold where nothing can be written", async () => {
  await using place = await temporaryWarehouse();
  await twoSnapshots(place);
  const io = {
    ...place.io,
    write: () => Promise.reject(new Error("read-only")),
  };
  const hold = snapshotHolder(io, place.location, virtualRuntime(1));
  const query = await openQuery({ ...place, hold }, ALL, null);
  expect((await Array.fromAsync(query.chunks())).flat()).toEqual([[1n], [2n], [3n]]);
  await query.close();
  expect(holds(place)).toEqual([]);
});
