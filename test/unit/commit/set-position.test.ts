import { describe, expect, it } from "vitest";
import { readPipeline } from "../../../src/commit/read-pipeline.ts";
import { rollBack } from "../../../src/commit/rollback.ts";
import { planSetPosition } from "../../../src/commit/set-position.ts";
import { readStamp } from "../../../src/commit/stamp.ts";
import { currentSnapshot } from "../../../table-format/index.ts";
import { change, memoryWarehouse, Process, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { tableRows } from "../../support/table-rows.ts";
import { virtualRuntime } from "../../support/virtual-runtime.ts";

const RULES = [upsertRule("a"), upsertRule("b")];
const LOG = [change("a", "+1:x:1"), change("b", "+1:y:1"), change("a", "~1:x:2"), change("a", "+2:x:3")];
const compare = (a: string, b: string): number => Number(a) - Number(b);
const rowsOf = ({ io, catalog }: Warehouse, name: string) => tableRows(io, catalog, { namespace: ["shop"], name });

async function planned(warehouse: Warehouse, point: string) {
  const place = { ...warehouse, warehouseLocation: "mem://w", pipeline: "test" };
  const plan = planSetPosition("test", await readPipeline(place), new Map([["t/0", point]]), compare);
  return () => rollBack({ ...place, runtime: virtualRuntime(77) }, plan);
}

async function stampOf({ catalog }: Warehouse, name: string) {
  const { metadata } = (await catalog.loadTable({ namespace: ["shop"], name }))!;
  return readStamp(currentSnapshot(metadata)!)!;
}

describe.each(["memory", "object-store"] as const)("a position that is set, on a catalog of kind %s", (kind) => {
  it("goes back under a new epoch, keeps the rows, and what is read again comes to the same", async () => {
    const warehouse = memoryWarehouse(kind);
    const process = await Process.start(warehouse, RULES);
    await process.checkpoint(LOG);
    const before = await stampOf(warehouse, "a");
    await (
      await planned(warehouse, "1")
    )();
    for (const name of ["a", "b"]) {
      const { position, epoch, checkpoint } = await stampOf(warehouse, name);
      expect([position.get("t/0"), epoch, checkpoint]).toEqual(["1", before.epoch + 1n, before.checkpoint + 1n]);
    }
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|2", "2|x|3"]);
    await expect(process.checkpoint([change("a", "-1")])).rejects.toMatchObject({ kind: "fenced" });

    const next = await Process.start(warehouse, RULES);
    expect(next.reached.get("t/0")).toBe("1");
    await next.checkpoint(LOG.slice(1));
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|2", "2|x|3"]);
    expect(await rowsOf(warehouse, "b")).toEqual(["1|y|1"]);
  });

  it("goes forward, and what lies between is left out", async () => {
    const warehouse = memoryWarehouse(kind);
    const process = await Process.start(warehouse, RULES);
    await process.checkpoint(LOG.slice(0, 2));
    await (
      await planned(warehouse, "3")
    )();
    const next = await Process.start(warehouse, RULES);
    await next.checkpoint(LOG.slice(Number(next.reached.get("t/0"))));
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1", "2|x|3"]);
  });

  it("takes no rows back that a running job commits between plan and act", async () => {
    const warehouse = memoryWarehouse(kind);
    const process = await Process.start(warehouse, RULES);
    await process.checkpoint(LOG.slice(0, 2));
    const act = await planned(warehouse, "0");
    await process.checkpoint(LOG.slice(2));
    await act();
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|2", "2|x|3"]);
    expect((await Process.start(warehouse, RULES)).reached.get("t/0")).toBe("0");
  });
});
