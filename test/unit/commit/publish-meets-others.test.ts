import { expect, it } from "vitest";
import { branchCatalog } from "../../../src/commit/branch-view.ts";
import { fastForward } from "../../../src/commit/ref-commit.ts";
import { planRollback } from "../../../src/commit/rollback-plan.ts";
import { rollBack } from "../../../src/commit/rollback.ts";
import { currentSnapshot, refSnapshot } from "../../../table-format/index.ts";
import { change, memoryWarehouse, Process, upsertRule } from "../../support/checkpoints.ts";
import { ForeignWriter } from "../../support/foreign-writer.ts";
import { tableRows } from "../../support/table-rows.ts";
import { virtualRuntime } from "../../support/virtual-runtime.ts";

it("what a branch has given up while it was published does not come to main", async () => {
  const warehouse = memoryWarehouse("object-store");
  const { io, catalog } = warehouse;
  const branch = { ...warehouse, catalog: branchCatalog(catalog, "audit") };
  const ident = { namespace: ["shop"], name: "a" };
  const process = await Process.start(branch, [upsertRule("a")]);
  const newest = async () => {
    const table = (await catalog.loadTable(ident))!;
    return { table, snapshotId: refSnapshot(table.metadata, "audit")!.snapshotId };
  };
  await process.checkpoint([change("a", "+1:x:1")]);
  await fastForward({ catalog, runtime: virtualRuntime(79) }, [await newest()], "main", "audit");
  await process.checkpoint([change("a", "+2:x:2")]);
  // Beyond what is published, so that `main` stays where the publication expects it.
  const target = currentSnapshot((await branch.catalog.loadTable(ident))!.metadata)!;
  await process.checkpoint([change("a", "+3:x:3")]);

  const commit = catalog.commit.bind(catalog);
  const place = { io, catalog: branch.catalog, warehouseLocation: "mem://w", runtime: virtualRuntime(80) };
  const table = (await branch.catalog.loadTable(ident))!;
  const plan = await planRollback(place, { table, target, keepPosition: false });
  const advances = [await newest()];
  let commits = 0;
  catalog.commit = async (changes, claim) => {
    if (commits++ === 0) await rollBack(place, plan);
    return commit(changes, claim);
  };
  const published = fastForward({ catalog, runtime: virtualRuntime(81) }, advances, "main", "audit");
  await expect(published).rejects.toMatchObject({ code: "NOT_ON_BRANCH" });
  expect(commits).toBeGreaterThan(1);
  expect(await tableRows(io, catalog, ident)).toEqual(["1|x|1"]);
});

it("what somebody else commits to main while a branch is published stays there", async () => {
  const warehouse = memoryWarehouse("object-store");
  const { io, catalog } = warehouse;
  const branch = { ...warehouse, catalog: branchCatalog(catalog, "audit") };
  const ident = { namespace: ["shop"], name: "a" };
  const process = await Process.start(branch, [upsertRule("a")]);
  const advance = async () => {
    const table = (await catalog.loadTable(ident))!;
    return [{ table, snapshotId: refSnapshot(table.metadata, "audit")!.snapshotId }];
  };
  await process.checkpoint([change("a", "+1:x:1")]);
  await fastForward({ catalog, runtime: virtualRuntime(83) }, await advance(), "main", "audit");
  await process.checkpoint([change("a", "+2:x:2")]);
  const advances = await advance();
  const commit = catalog.commit.bind(catalog);
  catalog.commit = async (changes, claim) => {
    catalog.commit = commit;
    await new ForeignWriter(warehouse, "a").append([{ id: 9n, part: "f", value: 9n }]);
    return commit(changes, claim);
  };
  const published = fastForward({ catalog, runtime: virtualRuntime(84) }, advances, "main", "audit");
  await expect(published).rejects.toMatchObject({ code: "DIVERGED" });
  expect(await tableRows(io, catalog, ident)).toEqual(["1|x|1", "9|f|9"]);
});
