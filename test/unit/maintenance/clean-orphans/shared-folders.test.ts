import { expect, it } from "vitest";
import { identText } from "../../../../table-format/index.ts";
import { planOrphans } from "../../../../src/maintenance/clean-orphans/plan.ts";
import { knownLocations } from "../../../../src/maintenance/service/known-tables.ts";
import { change, memoryWarehouse, Process, upsertRule } from "../../../support/checkpoints.ts";
import { ForeignWriter } from "../../../support/foreign-writer.ts";
import { IDENT, loaded, place } from "../../../support/maintenance.ts";

/** The virtual clocks hardly move: with this every file is old. */
const ALL_OLD = -1_000_000;
const FOLDER = "mem://w/shop/a";

it("knows where other tables put files outside their own folder", async () => {
  const warehouse = memoryWarehouse("memory");
  const process = await Process.start(warehouse, [upsertRule("a"), upsertRule("b")]);
  await process.checkpoint([change("a", "+1:x:1"), change("b", "+1:x:1")]);
  const { catalog } = warehouse;
  for (const property of ["write.data.path", "write.metadata.path", "write.object-storage.path"]) {
    await new ForeignWriter(warehouse, "b").update([
      { action: "set-properties", updates: new Map([[property, `${FOLDER}/data/of-b`]]) },
    ]);
    const locations = await knownLocations(catalog, process.runtime.clock)();
    const plan = planOrphans(place(warehouse, process), await loaded(warehouse), { olderThanMs: ALL_OLD, locations });
    await expect(plan).rejects.toMatchObject({ code: "LOCATION_SHARED" });
    await new ForeignWriter(warehouse, "b").update([{ action: "remove-properties", removals: [property] }]);
  }
  const locations = await knownLocations(catalog, process.runtime.clock)();
  await planOrphans(place(warehouse, process), await loaded(warehouse), { olderThanMs: ALL_OLD, locations });
});

it("refuses tables whose folder may hold other tables' files", async () => {
  const warehouse = memoryWarehouse("object-store");
  const process = await Process.start(warehouse, [upsertRule("a")]);
  await process.checkpoint([change("a", "+1:x:1")]);
  const plan = async (location = "mem://w/shop/ab") =>
    planOrphans(place(warehouse, process), await loaded(warehouse), {
      olderThanMs: ALL_OLD,
      locations: [
        { ident: IDENT, location: FOLDER },
        { ident: { namespace: ["shop"], name: "b" }, location },
      ],
    });
  for (const location of [FOLDER, `${FOLDER}/`, `${FOLDER}/data/b`, "mem://w/shop", "mem2://w/shop/a"]) {
    await expect(plan(location)).rejects.toMatchObject({ code: "LOCATION_SHARED", kind: "config" });
  }
  expect(identText((await plan()).table.ident)).toBe("shop.a");
  await new ForeignWriter(warehouse, "a").update([
    { action: "set-properties", updates: new Map([["gc.enabled", "false"]]) },
  ]);
  await expect(plan()).rejects.toMatchObject({ code: "GC_DISABLED" });
  await new ForeignWriter(warehouse, "a").update([{ action: "remove-properties", removals: ["gc.enabled"] }]);
  await warehouse.io.write(`${FOLDER}/data/deep/metadata/00000-x.metadata.json`, new Uint8Array(7));
  await expect(plan()).rejects.toMatchObject({ code: "TABLE_INSIDE" });
});
