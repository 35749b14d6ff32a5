import { describe, expect, it } from "vitest";
import { planOrphans } from "../../../../src/maintenance/clean-orphans/plan.ts";
import { planFolderRepair } from "../../../../src/maintenance/repair/table-folder.ts";
import { verifyFolder } from "../../../../src/maintenance/verify/table-folder.ts";
import { verifyCopy } from "../../../../src/maintenance/verify/version-copy.ts";
import { copyLocation, type LoadedTable, must, ObjectStoreCatalog } from "../../../../table-format/index.ts";
import { change, memoryWarehouse, Process, upsertRule, type Warehouse } from "../../../support/checkpoints.ts";
import { ForeignWriter } from "../../../support/foreign-writer.ts";
import { tableRows } from "../../../support/table-rows.ts";
import { virtualRuntime } from "../../../support/virtual-runtime.ts";

const IDENT = { namespace: ["shop"], name: "a" };
const HOME = "mem://w/shop/a";
const RULES = [upsertRule("a")];
const load = async ({ catalog }: Warehouse): Promise<LoadedTable> => must(await catalog.loadTable(IDENT), "the table");

async function warehouseOf(kind: "memory" | "object-store"): Promise<Warehouse> {
  const warehouse = memoryWarehouse(kind);
  const process = await Process.start(warehouse, RULES);
  for (const text of ["+1:x:1", "+2:x:2"]) await process.checkpoint([change("a", text)]);
  return warehouse;
}

/** The current metadata file as somebody leaves it who has an editor, seen by another process. */
async function edit(warehouse: Warehouse, ...changes: [from: string, to: string][]): Promise<Warehouse> {
  const { io } = warehouse;
  const { metadataLocation } = await load(warehouse);
  let text = new TextDecoder().decode(await io.read(metadataLocation));
  for (const [from, to] of changes) {
    expect(text).toContain(from);
    text = text.replace(from, to);
  }
  await io.write(metadataLocation, new TextEncoder().encode(text));
  return elsewhere(warehouse);
}

/** As another process sees it: within one, metadata files are kept. */
function elsewhere(warehouse: Warehouse): Warehouse {
  let made = 0;
  const uuid = () => `00000000-0000-4000-8000-${String(++made).padStart(12, "0")}`;
  const given = { nowMs: () => 1_800_000_000_000, uuid };
  return { ...warehouse, catalog: new ObjectStoreCatalog("other", warehouse.io, "mem://w", given) };
}

const MOVED: [string, string] = [`"location":"${HOME}"`, '"location":"mem://w/elsewhere"'];

describe("the location of a table in an object store", () => {
  it("that was edited is told, keeps orphans from being cleaned, and comes back; the job goes on", async () => {
    const before = await warehouseOf("object-store");
    expect(await verifyFolder(before.io, await load(before))).toEqual([]);
    expect(await verifyCopy(before.io, await load(before))).toEqual([]);
    const warehouse = await edit(before, MOVED);
    const table = await load(warehouse);
    expect(await verifyFolder(warehouse.io, table)).toMatchObject([
      { object: table.metadataLocation, expected: expect.stringContaining(HOME), found: "mem://w/elsewhere" },
    ]);
    const context = { ...warehouse, runtime: virtualRuntime(1) };
    await expect(planOrphans(context, table, { olderThanMs: 86_400_000, locations: [] })).rejects.toMatchObject({
      code: "LOCATION_CHANGED",
    });
    const { repairs, refusals } = await planFolderRepair(context, table);
    expect([refusals, repairs.map(({ repair }) => repair)]).toEqual([[], ["location"]]);
    await repairs[0]?.run();
    const after = elsewhere(warehouse);
    expect(await verifyFolder(after.io, await load(after))).toEqual([]);
    await (await Process.start(after, RULES)).checkpoint([change("a", "+3:x:3")]);
    expect(await tableRows(after.io, after.catalog, IDENT)).toEqual(["1|x|1", "2|x|2", "3|x|3"]);
  });

  it("comes back by a commit where no copy of the version tells what it was", async () => {
    const warehouse = await edit(await warehouseOf("object-store"), MOVED);
    const table = await load(warehouse);
    await warehouse.io.delete(must(copyLocation(table.metadataLocation), "a copy's name"));
    const { repairs } = await planFolderRepair({ ...warehouse, runtime: virtualRuntime(3) }, table);
    await repairs[0]?.run();
    expect((await load(warehouse)).metadata.location).toBe(HOME);
  });

  it.each([
    ["with something else", [MOVED, ['"last-column-id":', '"last-column-id":1']]],
    ["not, but something else", [['"last-column-id":', '"last-column-id":1']]],
  ] as [string, [string, string][]][])("is left alone where %s was edited", async (_, changes) => {
    const warehouse = await edit(await warehouseOf("object-store"), ...changes);
    const table = await load(warehouse);
    expect(await verifyCopy(warehouse.io, table)).toMatchObject([{ found: "something else" }]);
    const plan = await planFolderRepair({ ...warehouse, runtime: virtualRuntime(4) }, table);
    expect(plan).toMatchObject({ repairs: [], refusals: [{ problem: expect.stringContaining("cannot be proven") }] });
  });

  it("that another engine has changed by a commit is its own matter", async () => {
    const warehouse = await warehouseOf("memory");
    await new ForeignWriter(warehouse, "a").update([{ action: "set-location", location: "mem://w/moved" }]);
    const table = await load(warehouse);
    expect(table.metadataLocation).toMatch(/^mem:\/\/w\/moved\/metadata\//);
    expect(await verifyFolder(warehouse.io, table)).toEqual([]);
  });

  it("that was edited is told behind later commits, too, from the folder that they left", async () => {
    const warehouse = await warehouseOf("memory");
    const { metadataLocation } = await load(warehouse);
    await new ForeignWriter(warehouse, "a").update([{ action: "set-location", location: "mem://w/moved" }]);
    // The commit before says so already, in the folder that it was written to.
    const text = new TextDecoder().decode(await warehouse.io.read(metadataLocation));
    await warehouse.io.write(metadataLocation, new TextEncoder().encode(text.replace(HOME, "mem://w/moved")));
    const table = await load(warehouse);
    expect(await verifyFolder(warehouse.io, table)).toMatchObject([
      { object: metadataLocation, expected: expect.stringContaining(HOME), found: "mem://w/moved" },
    ]);
  });

  it("is not guessed where no snapshot was written in the folder of the metadata file", async () => {
    const warehouse = await warehouseOf("memory");
    const found = await load(warehouse);
    const table = { ...found, metadataLocation: found.metadataLocation.replace(HOME, "mem://w/copied") };
    const context = { ...warehouse, runtime: virtualRuntime(2) };
    expect(await planFolderRepair(context, table)).toMatchObject({ repairs: [], refusals: [{ table: "shop.a" }] });
  });
});
