import { expect, it } from "vitest";
import { runCleaning } from "../../../src/maintenance/clean-orphans/clean.ts";
import { planOrphans } from "../../../src/maintenance/clean-orphans/plan.ts";
import { change, memoryWarehouse, Process, storeGone, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { ForeignWriter } from "../../support/foreign-writer.ts";
import { loaded, place } from "../../support/maintenance.ts";

/** The numbers of the metadata files that are stored, in order. */
async function versions({ io }: Warehouse): Promise<number[]> {
  const found: number[] = [];
  for await (const { location } of io.list("mem://w/shop/a/metadata")) {
    const digits = /\/(\d{5})-[^/]*\.metadata\.json$/.exec(location)?.[1];
    if (digits !== undefined) found.push(Number(digits));
  }
  return found.toSorted((a, b) => a - b);
}

it.each(["memory", "object-store"] as const)(
  "a table that a job made keeps its newest metadata file and the hundred before it, catalog %s",
  async (kind) => {
    const warehouse = memoryWarehouse(kind);
    const process = await Process.start(warehouse, [upsertRule("a")]);
    for (let value = 0; value < 110; value++) await process.checkpoint([change("a", `~1:x:${value}`)]);
    const found = await versions(warehouse);
    expect(found.length).toBe(101);
    expect(found.at(-1)! - found[0]!).toBe(100);
    const { metadata } = await loaded(warehouse);
    expect(metadata.metadataLog.length).toBe(100);
  },
);

it("leaves the files of other tables, and what a lost delete leaves behind goes with the orphans", async () => {
  const warehouse = memoryWarehouse("object-store");
  const process = await Process.start(warehouse, [upsertRule("a")]);
  await process.checkpoint([change("a", "+1:x:1")]);
  const foreign = new ForeignWriter(warehouse, "a");
  const set = (updates: Record<string, string>) =>
    foreign.update([{ action: "set-properties", updates: new Map(Object.entries(updates)) }]);
  await set({ "write.metadata.previous-versions-max": "2" });
  warehouse.fault = (operation) => {
    if (operation === "delete") throw storeGone();
  };
  for (let value = 0; value < 4; value++) await process.checkpoint([change("a", `~1:x:${value}`)]);
  const all = await versions(warehouse);
  expect(all).toEqual(all.map((_, index) => index));
  warehouse.fault = () => undefined;
  await process.checkpoint([change("a", "~1:x:9")]);
  const newest = all.length;
  // The one that this commit forgot; nobody remembers the others.
  expect(await versions(warehouse)).toEqual([...all.filter((version) => version !== newest - 3), newest]);
  const settings = { olderThanMs: -1_000_000, locations: [] };
  await runCleaning(
    place(warehouse, process),
    await planOrphans(place(warehouse, process), await loaded(warehouse), settings),
  );
  expect(await versions(warehouse)).toEqual([newest - 2, newest - 1, newest]);
  // A table that does not ask for it keeps them all.
  await set({ "write.metadata.delete-after-commit.enabled": "false" });
  const before = await versions(warehouse);
  await process.checkpoint([change("a", "~1:x:10")]);
  expect(await versions(warehouse)).toEqual([...before, newest + 2]);
});
