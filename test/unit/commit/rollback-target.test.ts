import { expect, it } from "vitest";
import { planRollback } from "../../../src/commit/rollback-plan.ts";
import { rollBack } from "../../../src/commit/rollback.ts";
import { currentSnapshot, type LoadedTable, type Snapshot } from "../../../table-format/index.ts";
import { change, memoryWarehouse, Process, upsertRule } from "../../support/checkpoints.ts";
import { ForeignWriter } from "../../support/foreign-writer.ts";
import { tableRows } from "../../support/table-rows.ts";
import { virtualRuntime } from "../../support/virtual-runtime.ts";

it.each(["memory", "object-store"] as const)(
  "a rollback does not take effect once its target has expired, on a catalog of kind %s",
  async (kind) => {
    const warehouse = memoryWarehouse(kind);
    const { io, catalog } = warehouse;
    const ident = { namespace: ["shop"], name: "a" };
    const load = async (): Promise<LoadedTable> => (await catalog.loadTable(ident))!;
    const process = await Process.start(warehouse, [upsertRule("a")]);
    await process.checkpoint([change("a", "+1:x:1")]);
    const target = currentSnapshot((await load()).metadata) as Snapshot;
    await process.checkpoint([change("a", "+2:x:2")]);
    const head = currentSnapshot((await load()).metadata) as Snapshot;

    const context = { io, catalog, warehouseLocation: "mem://w", runtime: virtualRuntime(78) };
    const plan = await planRollback(context, { table: await load(), target, keepPosition: false });
    const commit = catalog.commit.bind(catalog);
    const expiry = new ForeignWriter(warehouse, "a");
    let commits = 0;
    catalog.commit = async (changes, claim) => {
      // It moves no ref, so that everything that the rollback asserts holds.
      if (commits++ === 0) await expiry.update([{ action: "remove-snapshots", snapshotIds: [target.snapshotId] }]);
      return commit(changes, claim);
    };
    await expect(rollBack(context, plan)).rejects.toMatchObject({ kind: "conflict" });
    expect((await load()).metadata.currentSnapshotId).toBe(head.snapshotId);
    expect(await tableRows(io, catalog, ident)).toEqual(["1|x|1", "2|x|2"]);
  },
);
