import { expect, it } from "vitest";
import { planOrphans } from "../../../../src/maintenance/clean-orphans/plan.ts";
import { change, memoryWarehouse, Process, upsertRule } from "../../../support/checkpoints.ts";
import { loaded, place } from "../../../support/maintenance.ts";

/** The virtual clocks hardly move: with this every file is old. */
const ALL_OLD = -1_000_000;
const FOLDER = "mem://w/shop/a";

const bytes = new TextEncoder().encode("garbage");

// Seed 75062 of the simulation: another engine slept for days between its files and its commit, and the files were swept by their age.
it("leaves alone what other writers may still commit, and says how much that is", async () => {
  const warehouse = memoryWarehouse("object-store");
  const process = await Process.start(warehouse, [upsertRule("a")]);
  await process.checkpoint([change("a", "+1:x:1")]);
  const others = [
    "data/00000-1-foreign.parquet",
    "data/p=1/00000-1-foreign-deletes.puffin",
    "metadata/foreign-m0.avro",
    "metadata/snap-1-0-foreign.avro",
    "metadata/foreign.stats",
  ];
  const own = [
    "data/frazil-k0123456789abcdef-w00-0000-0123abcd.parquet",
    "data/other-e0000000001-c000000000001-w00-0000-0123abcd.parquet",
    "metadata/frazil-k0123456789abcdef-stats-0123abcd.puffin",
    "metadata/00000-foreign.metadata.json",
    "_scratch/0123456789abcdef/run-00000.parquet",
  ];
  for (const path of [...others, ...own]) await warehouse.io.write(`${FOLDER}/${path}`, bytes);
  const settings = { olderThanMs: ALL_OLD, locations: [] };
  const plan = await planOrphans(place(warehouse, process), await loaded(warehouse), settings);
  expect(new Set(plan.orphans.map(({ location }) => location))).toEqual(
    new Set(own.map((path) => `${FOLDER}/${path}`)),
  );
  expect(plan.foreign).toBe(others.length);
});

it("leaves alone what a pipeline may commit that has no tag yet, however old, until the table has moved on", async () => {
  const warehouse = memoryWarehouse("object-store");
  const process = await Process.start(warehouse, [upsertRule("a")]);
  await process.checkpoint([change("a", "+1:x:1")]);
  const dayMs = 86_400_000;
  const list = `${FOLDER}/metadata/other-e0000000001-c000000000000-a0-snap-7-0123abcd.avro`;
  await warehouse.io.write(list, bytes);
  const later = (days: number) => {
    const here = place(warehouse, process);
    const nowMs = () => Date.UTC(2026, 0, 1) + days * dayMs;
    return { ...here, runtime: { ...here.runtime, clock: { ...here.runtime.clock, nowMs } } };
  };
  const found = async () => {
    const plan = await planOrphans(later(30), await loaded(warehouse), { olderThanMs: 3 * dayMs, locations: [] });
    return plan.orphans.map(({ location }) => location);
  };
  expect(await found()).toEqual([]);
  Object.assign(process.runtime.clock, { nowMs: () => Date.UTC(2026, 0, 11) });
  await process.checkpoint([change("a", "+2:x:2")]);
  expect(await found()).toEqual([list]);
});
