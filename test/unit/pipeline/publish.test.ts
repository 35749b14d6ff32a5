import { describe, expect, it } from "vitest";
import { branchCatalog } from "../../../src/commit/branch-view.ts";
import { pipelineCut } from "../../../src/commit/publish-cut.ts";
import { planRollback } from "../../../src/commit/rollback-plan.ts";
import { rollBack } from "../../../src/commit/rollback.ts";
import { readStamp } from "../../../src/commit/stamp.ts";
import { publishPlanned } from "../../../src/pipeline/publish.ts";
import { openScratchFolder } from "../../../src/storage/local-scratch.ts";
import { ancestors, currentSnapshot, type LoadedTable, type Snapshot } from "../../../table-format/index.ts";
import { change, memoryWarehouse, Process, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { tableRows } from "../../support/table-rows.ts";
import { virtualRuntime } from "../../support/virtual-runtime.ts";

let seeds = 9_300;

const RULES = [upsertRule("a"), upsertRule("b")];
const identOf = (name: string) => ({ namespace: ["shop"], name });
const rowsOf = ({ io, catalog }: Warehouse, name: string) => tableRows(io, catalog, identOf(name));
const onBranch = (warehouse: Warehouse): Warehouse => ({
  ...warehouse,
  catalog: branchCatalog(warehouse.catalog, "audit"),
});

const placeOf = ({ io, catalog }: Warehouse) => ({
  io,
  catalog,
  location: "mem://w",
  warehouseLocation: "mem://w",
  localPath: null,
  scratch: openScratchFolder,
  runtime: virtualRuntime(++seeds),
});

const planOf = (warehouse: Warehouse) => () =>
  pipelineCut({ ...placeOf(warehouse), pipeline: "test" }, "audit", () => [identOf("a"), identOf("b")]);

/** `frazil rollback --pipeline test`, to a checkpoint. */
async function rollBackTo(warehouse: Warehouse, checkpoint: bigint): Promise<void> {
  const place = placeOf(onBranch(warehouse));
  const find = ({ metadata }: LoadedTable): Snapshot | null =>
    [...ancestors(metadata, currentSnapshot(metadata)!.snapshotId)].find(
      (snapshot) => readStamp(snapshot)?.checkpoint === checkpoint,
    ) ?? null;
  await rollBack(place, await planRollback(place, { pipeline: "test", find, keepPosition: false }));
}

// Found by simulation, seeds 2813 and 3494: it ended with DIVERGED, as if the branch had gone a way of its own.
describe.each(["memory", "object-store"] as const)("publishing beside a rollback, on a catalog of kind %s", (kind) => {
  const log = [change("a", "+1:x:1"), change("b", "+1:y:1"), change("a", "~1:x:2"), change("b", "~1:y:2")];

  /** Two checkpoints, the first of which is published with `a` and `b`. */
  const begun = async () => {
    const warehouse = memoryWarehouse(kind);
    const process = await Process.start(onBranch(warehouse), RULES);
    await process.checkpoint(log.slice(0, 2));
    await publishPlanned(placeOf(warehouse), "audit", planOf(warehouse), []);
    await process.checkpoint(log.slice(2));
    return warehouse;
  };

  it("looks again at what is there, and finds nothing or what has come since", async () => {
    const warehouse = await begun();
    let looks = 0;
    const plan = async () => {
      const found = await planOf(warehouse)();
      if (++looks === 1) await rollBackTo(warehouse, 1n);
      return found;
    };
    const { publications } = await publishPlanned(placeOf(warehouse), "audit", plan, []);
    expect([looks, publications.length]).toEqual([2, 0]);
    expect([await rowsOf(warehouse, "a"), await rowsOf(warehouse, "b")]).toEqual([["1|x|1"], ["1|y|1"]]);
  });

  it("publishes what the job has committed behind the rollback", async () => {
    const warehouse = await begun();
    let looks = 0;
    const plan = async () => {
      const found = await planOf(warehouse)();
      if (++looks === 1) {
        await rollBackTo(warehouse, 1n);
        const next = await Process.start(onBranch(warehouse), RULES);
        expect([...next.reached]).toEqual([["t/0", "2"]]);
        await next.checkpoint(log.slice(2));
      }
      return found;
    };
    const { publications } = await publishPlanned(placeOf(warehouse), "audit", plan, []);
    expect(publications.length).toBe(2);
    expect([await rowsOf(warehouse, "a"), await rowsOf(warehouse, "b")]).toEqual([["1|x|2"], ["1|y|2"]]);
  });

  it("gives up, naming the cause, when the branch is rolled back again and again", async () => {
    const warehouse = await begun();
    let looks = 0;
    const plan = async () => {
      const found = await planOf(warehouse)();
      looks++;
      await rollBackTo(warehouse, 1n);
      const next = await Process.start(onBranch(warehouse), RULES);
      await next.checkpoint(log.slice(Number(next.reached.get("t/0"))));
      return found;
    };
    await expect(publishPlanned(placeOf(warehouse), "audit", plan, [])).rejects.toMatchObject({
      code: "NOT_ON_BRANCH",
    });
    expect(looks).toBe(3);
  });
});
