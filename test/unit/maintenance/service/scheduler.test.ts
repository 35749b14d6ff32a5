import { expect, it } from "vitest";
import type { MaintenanceTask } from "../../../../src/core/maintenance.ts";
import { readHistory } from "../../../../src/maintenance/history/read-history.ts";
import {
  currentSchema,
  currentSnapshot,
  fieldByName,
  planSnapshot,
  readDataFile,
  valueAt,
} from "../../../../table-format/index.ts";
import { storeGone } from "../../../support/checkpoints.ts";
import { HOUR_MS, maintainedWorld, startMaintenance, type World } from "../../../support/maintained.ts";
import { loaded } from "../../../support/maintenance.ts";

const compact: MaintenanceTask = {
  kind: "compact",
  schedule: { everyMs: HOUR_MS },
  targetSizeBytes: 1 << 20,
  minFiles: 2,
  deleteRatio: 0.15,
  pace: 1,
  arrange: null,
  where: null,
};
const daily: MaintenanceTask = {
  kind: "tag",
  name: "daily",
  schedule: { cron: "0 0 * * *", zone: "UTC" },
  keepMs: 48 * HOUR_MS,
};
const hourly: MaintenanceTask = { kind: "tag", name: "hourly", schedule: { everyMs: HOUR_MS }, keepMs: 5 * HOUR_MS };
const expire: MaintenanceTask = {
  kind: "expire",
  schedule: { cron: "15 */4 * * *", zone: "UTC" },
  keepMs: 2 * HOUR_MS,
  minSnapshots: 1,
  maxSnapshots: null,
};

async function tags(world: World): Promise<string[]> {
  const { metadata } = await loaded(world.warehouse);
  return [...metadata.refs.keys()].filter((name) => /^(daily|hourly)-/.test(name)).toSorted();
}

/** Rows that a tag's snapshot holds. */
async function rowsOf(world: World, tag: string): Promise<number> {
  const { metadata } = await loaded(world.warehouse);
  const id = metadata.refs.get(tag)?.snapshotId;
  return Number(metadata.snapshots.find(({ snapshotId }) => snapshotId === id)?.summary.get("total-records"));
}

async function liveFiles({ warehouse }: World): Promise<number> {
  const { metadata } = await loaded(warehouse);
  const head = currentSnapshot(metadata);
  return head === null ? 0 : (await planSnapshot(warehouse.io, metadata, head)).dataFiles.length;
}

/** The keys as they stand in the files. */
async function idsInOrder({ warehouse }: World): Promise<unknown[]> {
  const { metadata } = await loaded(warehouse);
  const head = currentSnapshot(metadata);
  const schema = currentSchema(metadata);
  const id = fieldByName(schema, "id")!.id;
  const ids: unknown[] = [];
  for (const { file } of (await planSnapshot(warehouse.io, metadata, head!)).dataFiles) {
    for await (const { columns, length } of readDataFile(warehouse.io, file, schema, [id])) {
      for (let row = 0; row < length; row++) ids.push(valueAt(columns[0]!, row));
    }
  }
  return ids;
}

it("keeps a table in shape over days, and its past under names", { timeout: 60_000 }, async () => {
  const world = await maintainedWorld();
  const maintenance = await startMaintenance(world, [daily, hourly, compact, expire]);
  for (let hour = 0; hour < 50; hour++) {
    await world.write(2);
    await world.clock.advance(HOUR_MS);
    expect(await liveFiles(world)).toBeLessThan(6);
    expect((await loaded(world.warehouse)).metadata.snapshots.length).toBeLessThan(60);
  }
  // It is 02:30 on 4 March. Expiry came last at 00:15, when hourly tags were kept from 19:15 on.
  await maintenance.end();
  const names = await tags(world);
  const hours = ["03T20", "03T21", "03T22", "03T23", "04T00", "04T01", "04T02"].map((hour) => `hourly-2026-03-${hour}`);
  expect(names).toEqual(["daily-2026-03-03", "daily-2026-03-04", ...hours]);
  // Two keys an hour, each hour's at its half.
  expect(await Promise.all(names.map((name) => rowsOf(world, name)))).toEqual([48, 96, 88, 90, 92, 94, 96, 98, 100]);
  expect(maintenance.runs.filter(({ outcome }) => outcome === "failed")).toEqual([]);
  expect(maintenance.runs.filter(({ kind, outcome }) => kind === "compact" && outcome === "done").length).toBe(50);
  const history = await readHistory(world.warehouse.io, "mem://w", 10_000);
  const recorded = maintenance.runs.filter(({ outcome }) => outcome === "done").map(({ id }) => id);
  expect(
    history
      .filter(({ outcome }) => outcome === "done")
      .map(({ id }) => id)
      .toSorted(),
  ).toEqual(recorded.toSorted());
  expect(history.some(({ outcome }) => outcome === "running")).toBe(false);
});

it.each([
  ["sorted", { sortBy: ["value desc"] }],
  ["along a curve", { zOrder: ["id", "value"] }],
] as const)("arranges the rows of small files %s, and leaves those that are large enough", async (_, arrange) => {
  const world = await maintainedWorld();
  await world.write(4);
  const maintenance = await startMaintenance(world, [{ ...compact, arrange }]);
  await world.clock.advance(HOUR_MS);
  await maintenance.end();
  // One small file alone is not worth it again.
  expect(maintenance.runs).toMatchObject([{ outcome: "done", filesBefore: 4, filesAfter: 1 }, { outcome: "nothing" }]);
  expect(await idsInOrder(world)).toEqual("sortBy" in arrange ? [4n, 3n, 2n, 1n] : [1n, 2n, 3n, 4n]);
});

it("takes only the files that a condition names, and skips a table whose columns do not fit it", async () => {
  const world = await maintainedWorld();
  await world.write(6);
  const maintenance = await startMaintenance(world, [{ ...compact, where: "value > 3" }]);
  await world.clock.advance(HOUR_MS);
  await maintenance.end();
  expect(maintenance.runs[0]).toMatchObject({ outcome: "done", filesBefore: 3, filesAfter: 1 });
  const wrong = { ...compact, arrange: { sortBy: ["nowhere"] } };
  const other = await startMaintenance(world, [wrong], 2);
  await world.clock.advance(HOUR_MS);
  await other.end();
  expect(other.runs[0]).toMatchObject({ outcome: "skipped", reason: expect.stringContaining("nowhere") as string });
});

it("makes up what was missed once, for the newest point, and does nothing twice", async () => {
  const world = await maintainedWorld();
  await world.write(1);
  const first = await startMaintenance(world, [daily]);
  await world.clock.advance(24 * HOUR_MS);
  await first.end();
  expect(await tags(world)).toEqual(["daily-2026-03-03"]);
  await world.write(3);
  await world.clock.advance(80 * HOUR_MS);
  await world.write(5);
  const second = await startMaintenance(world, [daily], 2);
  await world.clock.advance(HOUR_MS);
  await second.end();
  const third = await startMaintenance(world, [daily], 3);
  await world.clock.advance(HOUR_MS);
  await third.end();
  // Midnights of 4 and 5 March were missed; that of 6 March is the table as it was then, not as it is when it is made up.
  expect(await tags(world)).toEqual(["daily-2026-03-03", "daily-2026-03-06"]);
  expect(await rowsOf(world, "daily-2026-03-06")).toBe(4);
  expect([second.runs.length, third.runs.length]).toEqual([1, 0]);
});

it("goes on after failures: a tag soon, as its time does not come back, all else at its next time", async () => {
  const world = await maintainedWorld("object-store");
  await world.write(4);
  const maintenance = await startMaintenance(world, [daily, compact]);
  await world.clock.advance(60_000);
  maintenance.runs.length = 0;
  await world.write(4);
  await world.clock.advance(23.4 * HOUR_MS);
  maintenance.runs.length = 0;
  let gone = true;
  // The store takes no metadata for ten minutes over midnight.
  world.warehouse.fault = (operation, location) => {
    if (gone && location.includes("/shop/a/metadata/") && operation !== "list") throw storeGone();
  };
  await world.clock.advance(10 * 60_000);
  gone = false;
  await world.clock.advance(40 * 60_000);
  await maintenance.end();
  expect(await tags(world)).toEqual(["daily-2026-03-03"]);
  const tagged = maintenance.runs.filter(({ kind }) => kind === "tag daily").map(({ outcome }) => outcome);
  expect(tagged.at(-1)).toBe("done");
  expect(tagged.length).toBeGreaterThan(3);
  expect(tagged.slice(0, -1).every((outcome) => outcome === "failed")).toBe(true);
  expect(maintenance.runs.filter(({ kind }) => kind === "compact").map(({ outcome }) => outcome)).toEqual(["failed"]);
});

it("says why a table is left alone, once", async () => {
  const world = await maintainedWorld();
  await world.write(1);
  const { catalog, io } = world.warehouse;
  const { ident, metadata } = await loaded(world.warehouse);
  await catalog.commit([
    {
      ident,
      requirements: [{ type: "assert-table-uuid", uuid: metadata.tableUuid }],
      updates: [{ action: "set-properties", updates: new Map([["gc.enabled", "false"]]) }],
    },
  ]);
  const maintenance = await startMaintenance(world, [expire]);
  await world.clock.advance(24 * HOUR_MS);
  await maintenance.end();
  expect(maintenance.runs.length).toBeGreaterThan(5);
  const history = await readHistory(io, "mem://w", 100);
  expect(history).toHaveLength(1);
  expect(history[0]).toMatchObject({ outcome: "skipped", reason: expect.stringContaining("GC_DISABLED") as string });
});

it("does not wait for a time that only a wrong clock has seen", async () => {
  const world = await maintainedWorld();
  await world.write(4);
  const { io } = world.warehouse;
  const ahead = (ms: number) => ({ pointMs: world.clock.nowMs() + ms, outcome: "done", reason: null });
  const tables = { "shop.a": { compact: ahead(300 * 24 * HOUR_MS), expire: ahead(60_000) } };
  await io.write("mem://w/_frazil/maintenance/state/service.json", Buffer.from(JSON.stringify({ version: 1, tables })));
  const maintenance = await startMaintenance(world, [compact, expire]);
  await world.clock.advance(60_000);
  await maintenance.end();
  // A minute is what two machines may differ by.
  expect(maintenance.runs.map(({ kind, outcome }) => [kind, outcome])).toEqual([["compact", "done"]]);
});
